/** What presses and moves on a time axis mean. */
import { describe, expect, it } from "vitest";
import { Gesture } from "../src/chart/gesture";
import type { TimeAxis } from "../src/chart/timeaxis";

/** A hundred seconds on a hundred pixels. */
const AXIS: TimeAxis = { from: 1_000_000, to: 1_100_000, left: 40, width: 100, top: 8, height: 100 };
const at = (second: number): number => 1_000_000 + 1000 * second;
const seconds = (from: number, to: number) => ({ from: at(from), to: at(to) });

const mouse = { touch: false, shift: false };
const finger = { touch: true, shift: false };

function gestureOn(axis: TimeAxis | null = AXIS): Gesture {
  return new Gesture(() => axis);
}

describe("a drag with the mouse", () => {
  it("zooms to what it passes, in either direction", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 90, y: 20, ...mouse });
    gesture.move({ id: 1, x: 60, y: 99 });
    expect(gesture.draft).toEqual({ mode: "zoom", range: seconds(20, 50) });
    expect(gesture.release(1)).toEqual({ mode: "zoom", range: seconds(20, 50) });
    expect(gesture.draft).toBeNull();
  });

  it("brushes if Shift is down when it begins", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 60, y: 20, touch: false, shift: true });
    gesture.move({ id: 1, x: 90, y: 20 });
    expect(gesture.release(1)).toEqual({ mode: "brush", range: seconds(20, 50) });
  });

  it("ends at the end of the axis, however far it goes", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 90, y: 20, ...mouse });
    gesture.move({ id: 1, x: 4_000, y: 20 });
    expect(gesture.release(1)?.range).toEqual(seconds(50, 100));
  });

  it("is a click if it is short, or goes up or down", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 90, y: 20, ...mouse });
    gesture.move({ id: 1, x: 93, y: 80 });
    expect(gesture.claims).toBe(false);
    expect(gesture.release(1)).toBeNull();
  });

  it("is none if it begins beside the axis, or before there is one", () => {
    for (const gesture of [gestureOn(), gestureOn(null)]) {
      gesture.press({ id: 1, x: 20, y: 20, ...mouse });
      gesture.move({ id: 1, x: 80, y: 20 });
      expect(gesture.release(1)).toBeNull();
    }
  });

  it("keeps the time at which it began while the axis moves on", () => {
    let axis = AXIS;
    const gesture = new Gesture(() => axis);
    gesture.press({ id: 1, x: 60, y: 20, ...mouse });
    axis = { ...AXIS, from: at(10), to: at(110) };
    gesture.move({ id: 1, x: 90, y: 20 });
    expect(gesture.draft?.range).toEqual(seconds(20, 60));
  });

  it("begins where it began on the screen if another range arrives meanwhile", () => {
    let axis = AXIS;
    const gesture = new Gesture(() => axis);
    gesture.press({ id: 1, x: 60, y: 20, ...mouse });
    axis = { ...AXIS, from: at(0), to: at(1_000) };
    gesture.move({ id: 1, x: 90, y: 20 });
    expect(gesture.draft?.range).toEqual(seconds(200, 500));
  });

  it("can be ended without a result", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 60, y: 20, ...mouse });
    gesture.move({ id: 1, x: 90, y: 20 });
    gesture.cancel();
    gesture.move({ id: 1, x: 99, y: 20 });
    expect([gesture.draft, gesture.release(1)]).toEqual([null, null]);
  });

  it("follows only the pointer that went down", () => {
    const gesture = gestureOn();
    gesture.move({ id: 1, x: 90, y: 20 });
    expect([gesture.draft, gesture.release(1)]).toEqual([null, null]);
  });
});

describe("one finger", () => {
  it("reads values, whatever its way", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 60, y: 20, ...finger });
    expect(gesture.rests).toBe(true);
    gesture.move({ id: 1, x: 90, y: 20 });
    expect([gesture.rests, gesture.claims]).toEqual([false, false]);
    gesture.hold();
    expect(gesture.draft).toBeNull();
    expect(gesture.release(1)).toBeNull();
  });

  it("brushes once it has rested", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 60, y: 20, ...finger });
    gesture.move({ id: 1, x: 63, y: 22 });
    gesture.hold();
    expect(gesture.draft).toEqual({ mode: "brush", range: seconds(20, 20) });
    gesture.move({ id: 1, x: 90, y: 60 });
    expect(gesture.release(1)).toEqual({ mode: "brush", range: seconds(20, 50) });
  });

  it("brushes nothing if it rests and goes up", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 60, y: 20, ...finger });
    gesture.hold();
    expect(gesture.release(1)).toBeNull();
  });
});

describe("two fingers", () => {
  function two(first: number, second: number): Gesture {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: first, y: 20, ...finger });
    gesture.press({ id: 2, x: second, y: 20, ...finger });
    return gesture;
  }

  it("zoom in as they part, about the time between them", () => {
    const gesture = two(70, 110);
    expect([gesture.claims, gesture.rests]).toEqual([true, false]);
    gesture.move({ id: 1, x: 50, y: 20 });
    gesture.move({ id: 2, x: 130, y: 20 });
    expect(gesture.release(2)).toEqual({ mode: "view", range: seconds(25, 75) });
  });

  it("zoom out as they close", () => {
    const gesture = two(50, 130);
    gesture.move({ id: 1, x: 70, y: 20 });
    gesture.move({ id: 2, x: 110, y: 20 });
    expect(gesture.release(1)?.range).toEqual(seconds(-50, 150));
  });

  it("move the axis with them", () => {
    const gesture = two(70, 110);
    gesture.move({ id: 1, x: 60, y: 20 });
    gesture.move({ id: 2, x: 100, y: 20 });
    expect(gesture.release(2)?.range).toEqual(seconds(10, 110));
  });

  it("zoom whichever way they lie, and never beyond measure", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 90, y: 20, ...finger });
    gesture.press({ id: 2, x: 90, y: 68, ...finger });
    gesture.move({ id: 2, x: 90, y: 21 });
    expect(gesture.release(2)?.range).toEqual(seconds(-50, 150));
  });

  it("end what one of them had begun, and leave nothing for the one that stays", () => {
    const gesture = gestureOn();
    gesture.press({ id: 1, x: 60, y: 20, ...finger });
    gesture.hold();
    gesture.press({ id: 2, x: 100, y: 20, ...finger });
    expect(gesture.draft).toBeNull();
    expect(gesture.release(2)).toBeNull();
    gesture.move({ id: 1, x: 130, y: 20 });
    gesture.hold();
    expect(gesture.release(1)).toBeNull();
  });
});
