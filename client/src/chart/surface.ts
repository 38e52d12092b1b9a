/**
 * A canvas that fills an element, sharp at every pixel ratio. It must not know what is drawn on it.
 */
export class Surface {
  readonly canvas = document.createElement("canvas");
  readonly context: CanvasRenderingContext2D;
  /** CSS pixels. */
  width = 0;
  height = 0;
  /** Device pixels per CSS pixel. */
  ratio = 1;

  readonly #element: HTMLElement;

  constructor(element: HTMLElement) {
    this.#element = element;
    const context = this.canvas.getContext("2d");
    if (context === null) throw new Error("This browser cannot draw on a canvas");
    this.context = context;
    element.append(this.canvas);
  }

  /** Resize to the element; return whether there is room to draw. A new size clears the canvas. */
  fit(): boolean {
    const { clientWidth, clientHeight } = this.#element;
    this.width = clientWidth;
    this.height = clientHeight;
    this.ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * this.ratio), Math.round(clientHeight * this.ratio)];
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    return width > 0 && height > 0;
  }

  /** Clear the canvas and set its units to CSS pixels. */
  begin(): CanvasRenderingContext2D {
    const { context, ratio } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  /** The nearest position where a one-pixel line is sharp. */
  sharp(place: number): number {
    return (Math.round(place * this.ratio - 0.5) + 0.5) / this.ratio;
  }

  remove(): void {
    this.canvas.remove();
  }
}
