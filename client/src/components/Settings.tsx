/**
 * The viewer's display settings in one menu. On narrow screens it also holds the buttons that do not fit in
 * the top bar.
 */
import { Icon } from "./Icon";
import { onDemand } from "./LoadedPart";
import { MenuButton } from "./Menu";

const SettingsMenu = onDemand((parts) => parts.SettingsMenu);

export function Settings() {
  return (
    <MenuButton label="Theme and density" button={<Icon name="sliders" />}>
      {(close) => <SettingsMenu close={close} />}
    </MenuButton>
  );
}
