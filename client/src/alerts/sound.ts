/**
 * Two short tones, made by WebAudio. A browser lets a page be heard only after its viewer has touched it: until then
 * ringing is silent and no error. It must not know what it is rung for.
 */
export type Tone = "critical" | "warning";

const NOTES: Record<Tone, readonly number[]> = { critical: [880, 659, 880], warning: [587, 440] };
const NOTE_S = 0.16;
const STEP_S = 0.19;
const VOLUME = 0.16;

export class Sound {
  private context: AudioContext | null = null;

  /** Be ready to ring; to be called while the viewer touches the page. */
  prepare(): void {
    if (typeof AudioContext === "undefined") return;
    this.context ??= new AudioContext();
    void this.context.resume().catch(() => {});
  }

  ring(tone: Tone): void {
    const { context } = this;
    if (context?.state !== "running") return;
    NOTES[tone].forEach((frequency, i) => {
      this.play(context, frequency, context.currentTime + i * STEP_S);
    });
  }

  /** With soft ends: a tone that is cut off clicks. */
  private play(context: AudioContext, frequency: number, at: number): void {
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
