/** Why the page is not live although the server answers, and how to fix it. */
import { Show } from "solid-js";
import { useStores } from "./context";

const NGINX = `proxy_http_version 1.1;
proxy_set_header Host $http_host;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection "upgrade";`;

export function ConnectionTrouble() {
  const { connection } = useStores();
  return (
    <Show when={connection.trouble()}>
      {(trouble) => (
        <section class="problems" role="alert" aria-label="Connection">
          <Show
            when={trouble().kind === "upgrade"}
            fallback={
              <p>
                <strong>The server refuses the WebSocket.</strong> It answers {trouble().said}
              </p>
            }
          >
            <p>
              <strong>HTTP works, but the WebSocket does not.</strong> What lies between this browser and the
              server, most likely a proxy, does not pass WebSocket upgrades on. In nginx, its location needs:
            </p>
            <pre>{NGINX}</pre>
            <p class="problem-place">{`For other proxies see docs/deploy.md. ${trouble().said}`}</p>
          </Show>
        </section>
      )}
    </Show>
  );
}
