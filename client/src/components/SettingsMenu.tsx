/** The contents of the settings' menu. It is loaded on first use. */
import "../styles/settings.css";
import { For, Show } from "solid-js";
import { DENSITIES, THEMES, type Theme } from "../stores/theme";
import { useStores } from "./context";
import { Icon, type IconName } from "./Icon";

/** A choice of one option; the selected one is pressed. */
function Choice<T extends string>(props: {
  title: string;
  of: readonly T[];
  icon?: (one: T) => IconName;
  now: T;
  choose(one: T): void;
}) {
  return (
    <fieldset class="choice">
      <legend>{props.title}</legend>
      <For each={props.of}>
        {(one) => (
          <button
            type="button"
            aria-label={`${props.title}: ${one}`}
            aria-pressed={props.now === one}
            onClick={() => props.choose(one)}
          >
            <Show when={props.icon}>{(icon) => <Icon name={icon()(one)} />}</Show>
            {one}
          </button>
        )}
      </For>
    </fieldset>
  );
}

/** The server ends the session and this browser's streams, and sends the page to the login. */
const logOut = () => void fetch("logout", { method: "POST" }).then(() => location.reload());

/** @param props.close closes the menu. */
export default function SettingsMenu(props: { close: () => void }) {
  const { me, theme, view } = useStores();
  const show = (type: "outline" | "shortcuts") => {
    props.close();
    view.show({ type });
  };
  return (
    <>
      <Choice
        title="Theme"
        of={THEMES}
        icon={(one: Theme) => one}
        now={theme.theme()}
        choose={theme.setTheme}
      />
      <Choice title="Density" of={DENSITIES} now={theme.density()} choose={theme.setDensity} />
      <button type="button" class="menu-item only-narrow" onClick={() => show("outline")}>
        <Icon name="list" />
        Outline
      </button>
      <button type="button" class="menu-item only-phone" onClick={() => show("shortcuts")}>
        <Icon name="help" />
        Keyboard shortcuts
      </button>
      <Show when={me.loggedIn()}>
        <button type="button" class="menu-item" onClick={logOut}>
          {`Log out ${me.loggedIn()}`}
        </button>
      </Show>
    </>
  );
}
