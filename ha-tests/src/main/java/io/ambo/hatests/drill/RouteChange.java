package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.DatagramStream;

/** The kernel's routes are the only ones: a change counts for flows that are in the flow cache. */
final class RouteChange implements Drill {
    private static final int FLOWS = 50, INTERVAL_MS = 5, LIMIT_MS = 1_000, SETTLE_MS = 2_000;
    private static final String NET = "10.99.0.0/24", TARGET = "10.99.0.1", NET6 = "fd00:99::/64", TARGET6 = "fd00:99::1";

    @Override
    public String name() { return "route-change"; }

    @Override
    public String shows() {
        return "the route of established flows changes in the kernel: within a second all packets take the new way, with and without a JVM";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN);
        lab.symmetric(lab.a());
        lab.client().ip("route add " + NET + " via " + lab.a().leftAddress() + "\nroute add " + NET6 + " via " + lab.a().leftAddress6());
        route(lab, Addresses.SERVER, Addresses.SERVER6);
        try (DatagramStream ipv4 = new DatagramStream(lab.client(), TARGET, FLOWS, INTERVAL_MS);
                DatagramStream ipv6 = new DatagramStream(lab.client(), TARGET6, FLOWS, INTERVAL_MS)) {
            Pause.ms(SETTLE_MS);
            long forwarded = forwarded(lab);
            Pause.ms(500);
            run.check("the kernel forwards the flows", forwarded(lab) - forwarded > FLOWS * 50,
                    forwarded(lab) - forwarded + " in half a second");
            change(run, lab, "while the JVM runs", lab.b().rightAddress(), lab.b().rightAddress6(), "server", "b");
            run.progress("SIGSTOP: nobody tells the kernel's half of Ambo about routes now");
            lab.a().pause();
            try {
                change(run, lab, "while the JVM stands still", Addresses.SERVER, Addresses.SERVER6, "b", "server");
            } finally {
                lab.a().resume();
            }
            run.checkEqual("datagrams that could not be sent", ipv4.failures() + ipv6.failures(), 0);
        }
    }

    /** The two ways end at two ports of the right switch: the frames that leave there tell which one is taken. */
    private static void change(DrillRun run, Lab lab, String when, String via, String via6, String from, String to) {
        NetworkNamespace ethernetSwitch = lab.host("right");
        long toBefore = ethernetSwitch.interfaceCounter(to, "tx_packets");
        long beganNs = System.nanoTime();
        route(lab, via, via6);
        // The old way is silent from the moment on after which nothing more comes there.
        long last = ethernetSwitch.interfaceCounter(from, "tx_packets");
        long lastNs = System.nanoTime();
        while (System.nanoTime() - beganNs < 2L * LIMIT_MS * 1_000_000) {
            Pause.ms(5);
            long now = ethernetSwitch.interfaceCounter(from, "tx_packets");
            // ARP and neighbour discovery go there as well, now and then.
            if (now - last > 2) lastNs = System.nanoTime();
            last = now;
        }
        double tookMs = (lastNs - beganNs) / 1e6;
        run.figure("the old way is silent, " + when + ", after", tookMs, "ms");
        run.check("the new route counts within a second " + when, tookMs < LIMIT_MS, tookMs + " ms");
        long came = ethernetSwitch.interfaceCounter(to, "tx_packets") - toBefore;
        long expected = 2L * FLOWS * LIMIT_MS / INTERVAL_MS;
        run.check("the packets take the new way " + when, came > expected / 2, came + " frames");
    }

    private static void route(Lab lab, String via, String via6) {
        lab.a().host().ip("route replace " + NET + " via " + via + "\nroute replace " + NET6 + " via " + via6);
    }

    private static long forwarded(Lab lab) { return lab.a().control().counters().getOrDefault("forwarded", 0L); }
}
