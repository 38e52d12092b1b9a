/** Who views the page: unknown until the server has answered, and if it does not. */
import { createRoot } from "solid-js";
import { describe, expect, it } from "vitest";
import { createMeStore } from "../src/stores/me";
import type { Me } from "../src/types.gen";

const storeOf = async (load: () => Promise<Me>) => {
  const me = createRoot(() => createMeStore(load));
  expect(me()).toBeNull();
  await load().catch(() => {});
  await Promise.resolve();
  return me;
};

describe("the viewer of the page", () => {
  it("is who the server says", async () => {
    const ann: Me = { name: "Ann", role: "viewer" };
    expect((await storeOf(() => Promise.resolve(ann)))()).toEqual(ann);
  });

  it("is not known to an older server", async () => {
    expect((await storeOf(() => Promise.reject(new Error("404"))))()).toBeNull();
  });
});
