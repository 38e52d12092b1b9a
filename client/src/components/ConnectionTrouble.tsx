/** Why the page is not live although the server answers, and how to fix it. */
import { Show } from "solid-js";
import { useStores } from "./context";

const NGINX = `proxy_http_version 1.1;
proxy_set_header Host $http_host;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection "upgrade";`;

export function ConnectionTrouble() {
  const { connection } = useStores();
  const isLogin = () => connection.trouble()?.kind === "login";
  return (
    <Show when={connection.trouble()}>
      {(trouble) => (
        <section class="problems" role="alert" aria-label="Connection">
          <Show
            when={trouble().kind === "upgrade"}
            fallback={
              <p>
                <strong>{isLogin() ? "You are logged out." : "The server refuses the WebSocket."}</strong>{" "}
                {/* This page again: the server, or the application around it, asks for a login. */}
                {isLogin() ? <a href={location.search || "."}>Log in</a> : `It answers ${trouble().said}`}
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
