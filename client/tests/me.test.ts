/** Who views the page: unknown until the server has answered, and if it does not. */
import { createRoot } from "solid-js";
import { describe, expect, it } from "vitest";
import { createMeStore } from "../src/stores/me";
import type { Me } from "../src/types.gen";

const storeOf = async (load: () => Promise<Me>) => {
  const me = createRoot(() => createMeStore(load));
  expect(me.name()).toBe("");
  expect(me.mayChange()).toBe(true);
  await load().catch(() => {});
  await Promise.resolve();
  return me;
};

describe("the viewer of the page", () => {
  it.each<[Me["role"], boolean]>([
    ["viewer", false],
    ["operator", true],
    ["admin", true],
  ])("is who the server says: %s", async (role, mayChange) => {
    const me = await storeOf(() => Promise.resolve({ name: "Ann", role }));
    expect(me.name()).toBe("Ann");
    expect(me.mayChange()).toBe(mayChange);
  });

  it("is not known to an older server", async () => {
    const me = await storeOf(() => Promise.reject(new Error("404")));
    expect(me.name()).toBe("");
    expect(me.mayChange()).toBe(true);
  });
});
