package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.FrameCounter;
import io.ambo.hatests.traffic.Ping;
import io.ambo.hatests.traffic.Requests;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;

/** What no node of Ambo forwards is not forwarded: the kernel under it does not do it in its place. */
final class FailClosed implements Drill {
    private static final int PORT = 7030;

    @Override
    public String name() { return "fail-closed"; }

    @Override
    public String shows() { return "a node that is stopped, or killed, lets nothing pass, in IPv4 and IPv6; kernel forwarding stays off"; }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN);
        lab.symmetric(lab.a());
        try (EchoServer _ = new EchoServer(lab.server(), PORT)) {
            passes(run, lab, "before");
            forwardingIsOff(run, lab, "while it runs");
            run.progress("stopping a");
            lab.a().stop();
            nothingPasses(run, lab, "after a clean stop");
            forwardingIsOff(run, lab, "after a clean stop");
            run.progress("starting a again");
            lab.a().start();
            lab.a().awaitMembers(2);
            passes(run, lab, "after the restart");
            run.progress("kill -9 of a");
            lab.a().kill9();
            nothingPasses(run, lab, "after kill -9");
            forwardingIsOff(run, lab, "after kill -9");
        }
    }

    private static List<InetSocketAddress> servers() {
        return List.of(new InetSocketAddress(Addresses.of(Addresses.SERVER), PORT),
                new InetSocketAddress(Addresses.of(Addresses.SERVER6), PORT));
    }

    private static void passes(DrillRun run, Lab lab, String when) {
        for (InetSocketAddress server : servers()) {
            run.checkEqual("TCP to " + server.getAddress().getHostAddress() + " passes " + when,
                    Requests.tcp(lab.client(), server, 20, 2).done(), 20);
            run.checkEqual("ping to " + server.getAddress().getHostAddress() + " passes " + when,
                    Ping.of(lab.client(), server.getAddress().getHostAddress(), 20).received(), 20);
        }
    }

    private static void nothingPasses(DrillRun run, Lab lab, String when) {
        List<InetAddress> clients = List.of(Addresses.of(Addresses.CLIENT), Addresses.of(Addresses.CLIENT6));
        // Frames on the switch towards the server, so that not even a dropped one goes unseen; the server's own answers do not count.
        try (FrameCounter arrived = new FrameCounter(lab.server(), "eth0",
                frame -> clients.stream().anyMatch(client -> FrameCounter.isFrom(frame, client)))) {
            for (InetSocketAddress server : servers()) {
                String address = server.getAddress().getHostAddress();
                run.checkEqual("TCP to " + address + " passes " + when, Requests.tcp(lab.client(), server, 2, 2).done(), 0);
                run.checkEqual("UDP to " + address + " passes " + when, Requests.udp(lab.client(), server, 2, 2).done(), 0);
                run.checkEqual("ping to " + address + " passes " + when, Ping.of(lab.client(), address, 20).received(), 0);
            }
            run.checkEqual("frames from the client that reached the server " + when, arrived.count(), 0);
        }
    }

    private static void forwardingIsOff(DrillRun run, Lab lab, String when) {
        for (String device : List.of("left", "right")) {
            for (String family : List.of("ipv4", "ipv6")) {
                String setting = "net." + family + ".conf." + device + ".forwarding";
                String value = lab.a().host().readSysctl(setting);
                run.check(setting + " of a is 0 " + when, value.equals("0"), value);
            }
        }
    }
}
