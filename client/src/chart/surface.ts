/**
 * A canvas that fills an element, sharp on every screen. It knows sizes; it must not know what is drawn on it.
 */
export class Surface {
  readonly canvas = document.createElement("canvas");
  readonly context: CanvasRenderingContext2D;
  /** Pixels of the style sheet. */
  width = 0;
  height = 0;
  /** Pixels of the screen for each of these. */
  ratio = 1;

  constructor(private readonly element: HTMLElement) {
    const context = this.canvas.getContext("2d");
    if (context === null) throw new Error("This browser cannot draw on a canvas");
    this.context = context;
    element.append(this.canvas);
  }

  /** Take the element's size; return whether there is room to draw. What was drawn is gone if the size changed. */
  fit(): boolean {
    const { clientWidth, clientHeight } = this.element;
    this.width = clientWidth;
    this.height = clientHeight;
    this.ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * this.ratio), Math.round(clientHeight * this.ratio)];
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    return width > 0 && height > 0;
  }

  /** Begin a picture: empty, and measured in pixels of the style sheet. */
  begin(): CanvasRenderingContext2D {
    const { context, ratio } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  /** The nearest place at which a line of one pixel is sharp. */
  sharp(place: number): number {
    return (Math.round(place * this.ratio - 0.5) + 0.5) / this.ratio;
  }

  remove(): void {
    this.canvas.remove();
  }
}
