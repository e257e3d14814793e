package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.sys.Pause;

/** A node is killed and comes back under traffic: it takes no packet that it would have to drop. */
final class Rejoin implements Drill {
    private static final int CONNECTIONS = 100, NEW_CONNECTIONS = 50, AWAY_MS = 1_000;

    private final String mode;

    Rejoin(String mode) { this.mode = mode; }

    @Override
    public String name() { return GatewayTraffic.named("rejoin", mode); }

    @Override
    public String shows() {
        return GatewayTraffic.inMode(mode)
                + "kill -9 of the node that has the floating addresses, and its return under traffic: it drops no packet, and none is lost";
    }

    @Override
    public void run(DrillRun run) {
        try (GatewayTraffic traffic = new GatewayTraffic(run, mode, run.scaled(CONNECTIONS))) {
            Lab lab = traffic.lab();
            traffic.checkNothingLost("before");
            run.progress("kill -9 of a");
            lab.a().kill9();
            Pause.ms(AWAY_MS);
            traffic.checkNewConnections("while a's process is gone", NEW_CONNECTIONS);
            traffic.checkNothingLost("while a's process is gone");
            run.progress("starting a again");
            long beganNs = System.nanoTime();
            lab.a().start();
            lab.a().awaitMembers(2);
            lab.awaitGatewaysOn(lab.a());
            run.figure("a is in sync and has the addresses after", (System.nanoTime() - beganNs) / 1e6, "ms");
            traffic.checkNothingLost("until a was back");
            traffic.checkNewConnections("with a back", NEW_CONNECTIONS);
            run.checkEqual("packets dropped by a since it is back", lab.a().status().getDroppedPackets(), 0);
            run.checkEqual("packets that found its gate closed", GatewayTraffic.counter(lab.a(), "dropped_gate_closed"), 0);
            traffic.checkNothingLost("at the end");
            traffic.finish();
        }
    }
}
