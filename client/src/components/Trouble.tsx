/**
 * What the page says while it is stale or cannot connect. It is loaded once the page shows values, since it must
 * be there when the server has gone.
 */
import { ConnectionTrouble } from "./ConnectionTrouble";
import { useGrey } from "./grey";
import { Stale } from "./Stale";

export default function Trouble() {
  useGrey();
  return (
    <>
      <Stale />
      <ConnectionTrouble />
    </>
  );
}
