package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import java.util.List;

/** What one does for a new version: drain, stop, start, one node after the other, under traffic. */
final class RollingUpgrade implements Drill {
    private static final int CONNECTIONS = 100, NEW_CONNECTIONS = 50;

    private final String mode;

    RollingUpgrade(String mode) { this.mode = mode; }

    @Override
    public String name() { return GatewayTraffic.named("rolling-upgrade", mode); }

    @Override
    public String shows() {
        return GatewayTraffic.inMode(mode)
                + "each node in turn is drained, stopped and started again under traffic: 0 packets lost, 0 connections reset";
    }

    @Override
    public void run(DrillRun run) {
        try (GatewayTraffic traffic = new GatewayTraffic(run, mode, run.scaled(CONNECTIONS))) {
            Lab lab = traffic.lab();
            traffic.checkNothingLost("before");
            for (LabNode node : List.of(lab.a(), lab.b())) {
                LabNode other = node == lab.a() ? lab.b() : lab.a();
                DrainNode.drain(run, other, node.name());
                run.progress("stopping " + node.name());
                node.stop();
                traffic.checkNewConnections("without " + node.name(), NEW_CONNECTIONS);
                traffic.checkNothingLost("until " + node.name() + " was stopped");
                run.progress("starting " + node.name());
                long beganNs = System.nanoTime();
                node.start();
                node.awaitMembers(2);
                lab.awaitGatewaysOn(lab.a());
                run.figure(node.name() + " is back after", (System.nanoTime() - beganNs) / 1e6, "ms");
                traffic.checkNewConnections("with the new " + node.name(), NEW_CONNECTIONS);
                traffic.checkNothingLost("until " + node.name() + " was back");
            }
            traffic.finish();
        }
    }
}
