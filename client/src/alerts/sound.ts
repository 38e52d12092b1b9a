/**
 * Two short tones from WebAudio. Browsers block a page's sound until the viewer interacts with it: until
 * then, ringing is silent and raises no error. It must not know why it rings.
 */
export type Tone = "critical" | "warning";

const NOTES: Record<Tone, readonly number[]> = { critical: [880, 659, 880], warning: [587, 440] };
const NOTE_S = 0.16;
const STEP_S = 0.19;
const VOLUME = 0.16;

export class Sound {
  #context: AudioContext | null = null;

  /** Unlock audio. Call it from a click or key handler. */
  prepare(): void {
    if (typeof AudioContext === "undefined") return;
    this.#context ??= new AudioContext();
    void this.#context.resume().catch(() => {});
  }

  ring(tone: Tone): void {
    const context = this.#context;
    if (context?.state !== "running") return;
    NOTES[tone].forEach((frequency, i) => {
      this.#play(context, frequency, context.currentTime + i * STEP_S);
    });
  }

  /** Fades in and out: an abrupt end clicks. */
  #play(context: AudioContext, frequency: number, at: number): void {
    const tone = new OscillatorNode(context, { type: "triangle", frequency });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(VOLUME, at + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + NOTE_S);
  }
}
