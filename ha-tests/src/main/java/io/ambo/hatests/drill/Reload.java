package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Requests;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;

/** The rules change under live connections; then somebody writes nonsense into the file. */
final class Reload implements Drill {
    private static final int LIVE_PORT = 7070, NEW_PORT = 7071, CONNECTIONS = 50, LIMIT_MS = 10_000;
    private static final Policy BEFORE = Policy.of("""
            firewall:
              default: reject
              rules:
                - { name: live, from: clients, to: servers, protocol: tcp, ports: [7070], action: allow }
            """);
    private static final Policy AFTER = Policy.of("""
            firewall:
              default: reject
              rules:
                - { name: fresh, from: clients, to: servers, protocol: tcp, ports: [7071], action: allow }
                - { name: live, from: clients, to: servers, protocol: tcp, ports: [7070], action: allow }
            """);
    private static final Policy THREE_MISTAKES = Policy.of("""
            firewall:
              default: rejct
              rules:
                - { name: fresh, from: clients, to: servers, protocol: tcp, ports: [70000], action: allow }
                - { name: live, from: nowhere, to: servers, protocol: tcp, ports: [7070], action: allow }
            """);

    @Override
    public String name() { return "reload"; }

    @Override
    public String shows() {
        return "rules change without a lost session or byte; a config with three mistakes is refused with all three named, and changes nothing";
    }

    @Override
    public void run(DrillRun run) throws IOException {
        Lab lab = run.runningLab(BEFORE);
        InetSocketAddress fresh = new InetSocketAddress(Addresses.of(Addresses.SERVER), NEW_PORT);
        try (EchoServer _ = new EchoServer(lab.server(), NEW_PORT);
                Conversations live = new Conversations(lab, LIVE_PORT, CONNECTIONS, 512, 20)) {
            run.checkEqual("connections that talk before", live.awaitProgress(LIMIT_MS), CONNECTIONS);
            run.checkEqual("connections to a port that no rule allows", Requests.tcp(lab.client(), fresh, 5, 1).done(), 0);

            run.progress("reloading both nodes with a new rule before the old one");
            for (LabNode node : lab.nodes()) {
                node.configure(AFTER);
                var reload = node.control().reload();
                run.check("node " + node.name() + " takes the new config", reload.getApplied(),
                        reload.getChangesList() + " " + reload.getProblemsList());
            }
            run.checkEqual("connections to the port that the new rule allows", Requests.tcp(lab.client(), fresh, 5, 1).done(), 5);
            run.checkEqual("connections that talk after it", live.awaitProgress(LIMIT_MS), CONNECTIONS);

            run.progress("reloading with a config that has three mistakes");
            for (LabNode node : lab.nodes()) {
                node.configure(THREE_MISTAKES);
                var reload = node.control().reload();
                run.check("node " + node.name() + " refuses it", !reload.getApplied(), reload.getApplied() ? "applied" : "refused");
                run.checkEqual("problems that node " + node.name() + " names", reload.getProblemsCount(), 3);
                reload.getProblemsList().forEach(problem -> run.progress("  " + problem));
            }
            run.checkEqual("connections to the port of the rule that is still in force", Requests.tcp(lab.client(), fresh, 5, 1).done(), 5);
            run.checkEqual("connections that talk after it, too", live.awaitProgress(LIMIT_MS), CONNECTIONS);

            run.progress("reloading with a file that is not there");
            Files.delete(lab.a().config());
            run.check("node a refuses it", !lab.a().control().reload().getApplied(), "asked");
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), CONNECTIONS);
            run.check("no connection met with an error", live.failures().isEmpty(), live.failures().toString());
        }
    }
}
