package io.ambo.hatests.drill;

import io.ambo.cluster.cli.AmboCli;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;

/** {@code ambo drain a}, asked of b: a's addresses and sessions go to b while everything talks; then they come back. */
final class DrainNode implements Drill {
    private static final int CONNECTIONS = 100, NEW_CONNECTIONS = 200;

    private final String mode;

    DrainNode(String mode) { this.mode = mode; }

    @Override
    public String name() { return GatewayTraffic.named("drain", mode); }

    @Override
    public String shows() {
        return GatewayTraffic.inMode(mode)
                + "ambo drain under traffic ends with no session owned, no address and no packet on the node, and ambo undrain brings them back:"
                + " 0 packets lost, 0 connections reset";
    }

    @Override
    public void run(DrillRun run) {
        try (GatewayTraffic traffic = new GatewayTraffic(run, mode, run.scaled(CONNECTIONS))) {
            Lab lab = traffic.lab();
            traffic.checkNothingLost("before the drain");
            drain(run, lab.b(), "a");
            run.checkEqual("floating addresses of a", lab.gatewaysOf(lab.a()), 0);
            run.checkEqual("floating addresses of b", lab.gatewaysOf(lab.b()), 4);
            traffic.checkNothingLost("while a was drained");
            long opened = GatewayTraffic.counter(lab.a(), "sessions_opened");
            traffic.checkNewConnections("while a is drained", NEW_CONNECTIONS);
            run.progress("a new flow that a router sends to a all the same");
            lab.clientVia(lab.a());
            traffic.checkNewConnections("sent to the drained node", NEW_CONNECTIONS);
            run.checkEqual("sessions that a has opened while it was drained", GatewayTraffic.counter(lab.a(), "sessions_opened") - opened,
                    0);
            lab.viaGateways();

            run.progress("ambo undrain a");
            Said undrained = ambo(lab.b(), "undrain", "a");
            run.check("ambo undrain ends with 0", undrained.status() == 0, undrained.text());
            lab.awaitGatewaysOn(lab.a());
            traffic.checkNewConnections("after the drain", NEW_CONNECTIONS);
            traffic.checkNothingLost("until a had its addresses back");
            traffic.finish();
        }
    }

    static void drain(DrillRun run, LabNode asked, String node) {
        run.progress("ambo drain " + node + ", asked of " + asked.name());
        long beganNs = System.nanoTime();
        Said drained = ambo(asked, "drain", node, "--deadline", "20");
        run.figure("ambo drain " + node + " took", (System.nanoTime() - beganNs) / 1e6, "ms");
        run.check("ambo drain " + node + " ends with 0", drained.status() == 0,
                drained.text().lines().reduce((first, last) -> last).orElse(""));
    }

    /** The command line, in this process: the launcher would wait for the build that this may be a part of. */
    private static Said ambo(LabNode node, String... words) {
        StringWriter said = new StringWriter();
        PrintWriter out = new PrintWriter(said);
        int status = AmboCli.run(List.of(words), Map.of("AMBO_SOCKET", node.controlSocket().toString(), "COLUMNS", "200"), out, out);
        return new Said(status, said.toString().strip());
    }

    private record Said(int status, String text) {}
}
