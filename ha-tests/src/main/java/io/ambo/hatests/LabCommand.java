package io.ambo.hatests;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.JvmCommand;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.lab.Policy;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ambo lab ...}. */
@Command(name = "lab", description = "Two nodes between a client and a server, in network namespaces.")
public final class LabCommand implements Callable<Integer> {
    /** The lab that {@code lab up} builds when it is given no other name. */
    static final String PLAYGROUND = "lab";
    private static final PrintStream OUT = System.out;

    @Override
    public Integer call() { return new LabShow(OUT).run() ? 0 : 1; }

    @Command(name = "up", description = "Build the network, start both nodes, and leave them running.")
    int up() {
        Lab lab = Lab.buildKept(PLAYGROUND, Policy.OPEN);
        try {
            lab.startNodes();
        } catch (RuntimeException failed) {
            lab.close();
            throw failed;
        }
        OUT.println("the lab is up: client -> a -> server, and back through b");
        OUT.println("  ./ambo lab sh client    then: ping " + Addresses.SERVER + ", curl, nc, iperf3 ...");
        OUT.println("  ./ambo lab sh a         then: ambo status, ambo sessions list");
        OUT.println("  ./ambo lab status       ./ambo lab down");
        return 0;
    }

    @Command(name = "status", description = "What is up, and what the nodes say of themselves.")
    int status() {
        if (!Lab.isUp(PLAYGROUND)) {
            OUT.println("the lab is down; start it with: ./ambo lab up");
            return 1;
        }
        Lab lab = Lab.existing(PLAYGROUND);
        for (LabNode node : lab.nodes()) OUT.println(describe(node));
        OUT.println("client's route to the servers: " + routeOf(lab.client(), Addresses.SERVER));
        OUT.println("server's route to the clients: " + routeOf(lab.server(), Addresses.CLIENT));
        return 0;
    }

    @Command(name = "sh", description = "A shell, or one command, in a host of the lab.")
    int sh(@Parameters(index = "0", paramLabel = "NAME", description = "client, server, a, b, left, right or syncnet") String name,
            @Parameters(index = "1..*", paramLabel = "CMD", description = "the command, else a shell") @Nullable List<String> words)
            throws Exception {
        Lab lab = Lab.existing(PLAYGROUND);
        List<String> command = new ArrayList<>(lab.host(name).command());
        if (words == null || words.isEmpty()) {
            command.addAll(List.of("bash", "--norc", "-i"));
        } else {
            command.addAll(words);
        }
        ProcessBuilder shell = new ProcessBuilder(command).inheritIO();
        Map<String, String> environment = shell.environment();
        environment.put("PS1", name + "# ");
        environment.put("PATH", JvmCommand.home() + ":" + environment.getOrDefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
        for (LabNode node : lab.nodes()) if (node.name().equals(name)) environment.put("AMBO_SOCKET", node.controlSocket().toString());
        return shell.start().waitFor();
    }

    @Command(name = "down", description = "Stop the nodes and remove the network.")
    int down(
            @Parameters(arity = "0..1", defaultValue = PLAYGROUND, paramLabel = "ID", description = "another lab than that of `lab up`") String id) {
        boolean wasUp = Lab.isUp(id);
        Lab.remove(id);
        OUT.println(wasUp ? "lab " + id + " is down" : "lab " + id + " was not up");
        return 0;
    }

    private static String describe(LabNode node) {
        if (!node.isRunning()) return "node " + node.name() + ": not running; its log is " + node.log();
        var status = node.status();
        String gate = status.getGate().getOpen() ? "takes traffic" : "gate closed: " + status.getGate().getReason();
        return "node " + node.name() + ": process " + node.pid() + ", " + gate + ", members " + String.join(" ", status.getViewList())
                + ", " + status.getSessions()
                + " sessions, config " + node.config() + ", log " + node.log();
    }

    private static String routeOf(NetworkNamespace host, String destination) {
        return host.run("ip", "route", "get", destination).lines().findFirst().orElse("none").strip();
    }
}
