/**
 * The viewer's display settings in one menu. On narrow screens it also holds the buttons that do not fit in
 * the top bar.
 */
import { Icon } from "./Icon";
import { LoadedPart, onDemand } from "./LoadedPart";
import { MenuButton } from "./Menu";

const SettingsMenu = onDemand(() => import("./SettingsMenu"));

export function Settings() {
  return (
    <MenuButton label="Theme and density" button={<Icon name="sliders" />}>
      {(close) => (
        <LoadedPart>
          <SettingsMenu close={close} />
        </LoadedPart>
      )}
    </MenuButton>
  );
}
