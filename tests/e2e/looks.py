"""What reads how something looks on the page."""

from playwright.sync_api import Page

CONTRAST = """(element) => {
    const shade = (text) => {
        const drawing = new OffscreenCanvas(1, 1).getContext("2d");
        drawing.fillStyle = text;
        drawing.fillRect(0, 0, 1, 1);
        const linear = (it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
        const [red, green, blue, alpha] = [...drawing.getImageData(0, 0, 1, 1).data].map((it) => linear(it / 255));
        return { alpha, light: 0.2126 * red + 0.7152 * green + 0.0722 * blue };
    };
    let ground = element;
    while (shade(getComputedStyle(ground).backgroundColor).alpha === 0) ground = ground.parentElement;
    const one = shade(getComputedStyle(element).color).light;
    const other = shade(getComputedStyle(ground).backgroundColor).light;
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}"""
"""The contrast of an element's text with the ground that it is on."""


def watch_shifts(page: Page, ignored: str) -> None:
    """Collect in ``window.shifts`` what moves by itself from now on.

    Args:
        page: the page.
        ignored: a selector of elements in which anything may move.
    """
    page.evaluate(
        """async (ignored) => {
            window.shifts = [];
            // What has just been added to the page moves others when it is drawn.
            const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            await drawn();
            await drawn();
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) {
                    // Words within a line may move; boxes may not.
                    const moved = entry.sources.map(({ node }) => node).filter((node) => node?.nodeType === 1);
                    const outside = moved.filter((node) => !node.closest(ignored));
                    window.shifts.push(...outside.map((node) => `${node.nodeName} ${node.getAttribute("class")}`));
                }
            }).observe({ type: "layout-shift" });
        }""",
        ignored,
    )
