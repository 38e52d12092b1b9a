/**
 * Bun's native publish, as a server of one board: a tick a second when started with an interval, and as many as asked
 * for at /bench/go?rounds=N. A turn of the loop between two, as between real ticks: published in one turn, they would be
 * sent as one.
 */
const interval = Number(process.argv[2]);
let seq = 0;

function frame(): string {
  const timestamp = new Date().toISOString();
  const data = ["cpu_usage", "memory_usage", "requests_per_sec", "avg_latency"].map((name) => ({
    name,
    value: Math.round(Math.random() * 1000) / 10,
    unit: "%",
    timestamp,
  }));
  return JSON.stringify({ type: "metrics", data, seq: ++seq, timestamp });
}

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request, server) {
    const url = new URL(request.url);
    if (url.pathname === "/ws/metrics") {
      if (server.upgrade(request)) return undefined;
      return new Response("no WebSocket", { status: 400 });
    }
    if (url.pathname === "/bench/go") {
      for (let left = Number(url.searchParams.get("rounds")); left > 0; left--) {
        server.publish("ticks", frame());
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return Response.json({ status: "ok" });
  },
  websocket: {
    open(viewer) {
      viewer.subscribe("ticks");
    },
    message() {},
  },
});

function tick(): void {
  setTimeout(tick, interval - (Date.now() % interval));
  server.publish("ticks", frame());
}

if (interval > 0) setTimeout(tick, interval - (Date.now() % interval));
console.log(`http://127.0.0.1:${server.port} Ctrl-C`);
