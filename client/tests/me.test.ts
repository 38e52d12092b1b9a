/** Who views the page: unknown until the server has answered, and if it does not. */
import { createRoot } from "solid-js";
import { describe, expect, it } from "vitest";
import { createMeStore } from "../src/stores/me";
import type { Me } from "../src/types.gen";

const storeOf = async (load: () => Promise<Me>) => {
  const me = createRoot(() => createMeStore(load));
  expect(me.loggedIn()).toBe("");
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
    const me = await storeOf(() => Promise.resolve({ name: "Ann", role, logout: true }));
    expect(me.loggedIn()).toBe("Ann");
    expect(me.mayChange()).toBe(mayChange);
  });

  it("logs out where they have logged in, which may not be the board", async () => {
    const me = await storeOf(() => Promise.resolve({ name: "Ann", role: "viewer" }));
    expect(me.loggedIn()).toBe("");
    expect(me.mayChange()).toBe(false);
  });

  it("is not known to an older server", async () => {
    const me = await storeOf(() => Promise.reject(new Error("404")));
    expect(me.loggedIn()).toBe("");
    expect(me.mayChange()).toBe(true);
  });
});
