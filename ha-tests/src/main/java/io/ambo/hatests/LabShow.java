package io.ambo.hatests;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Command;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.WebServer;
import io.ambo.proto.control.Half;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionFilter;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.HdrHistogram.Histogram;

/** The whole story, for somebody who sees Ambo for the first time. Each step says what is done, then what came of it. */
final class LabShow {
    private static final int WEB_PORT = 80, TALK_PORT = 5000, IPERF_PORT = 5201, LIMIT_MS = 15_000, SHOWN = 6;
    private static final String BAR = "-".repeat(100);

    private final PrintStream out;
    private boolean ok = true;

    LabShow(PrintStream out) { this.out = out; }

    /** @return whether everything went as the story says */
    boolean run() {
        say("""
                Ambo is two firewalls that behave as one. Here they stand on two paths between a client and a server:

                                  .1 +-------+ .1
                            +--------|   a   |--------+
                 +--------+ |        +-------+        | +--------+      a connection leaves the client through a
                 | client |-+            | sync       +-| server |      and its answers come back through b
                 +--------+ |        +-------+        | +--------+
                       .100 +--------|   b   |--------+ .100
                                  .2 +-------+ .2
                   10.10.1.0/24                     10.10.2.0/24
                """);
        step("building the network: seven network namespaces, three switches");
        try (Lab lab = Lab.build(Policy.OPEN)) {
            result("client's route to the servers: via a (" + lab.a().leftAddress() + "); server's route to the clients: via b ("
                    + lab.b().rightAddress() + ")");
            step("starting node a and node b, each a JVM of its own with a config file of its own");
            long beganNs = System.nanoTime();
            lab.startNodes();
            result(String.format(Locale.ROOT, "both take traffic after %.1f s; members: %s", (System.nanoTime() - beganNs) / 1e9,
                    String.join(" ", lab.a().status().getViewList())));
            try (WebServer _ = new WebServer(lab.server(), WEB_PORT)) {
                fetch(lab, "http://" + Addresses.SERVER + "/");
                fetch(lab, "http://[" + Addresses.SERVER6 + "]/");
            }
            transfer(lab);
            try (Conversations talk = new Conversations(lab, TALK_PORT, 2, 512, 20)) {
                survive(lab, talk);
            }
            step("taking everything down");
        }
        result("nothing is left of it");
        say("");
        say(ok ? "That was Ambo. Play with it yourself: ./ambo lab up" : "Something did not go as it should: see above.");
        return ok;
    }

    private void fetch(Lab lab, String url) {
        step("client: curl " + url);
        String[] words = { "curl", "-sS", "-g", "--max-time", "5", "-w", "%{http_code} %{time_connect}", "-o", "/dev/null", url };
        Command.Outcome outcome = Command.attempt(Duration.ofSeconds(10), lab.client().command(words).toArray(String[]::new));
        String[] parts = outcome.output().strip().split(" ", -1);
        expect(outcome.ok() && parts[0].equals("200"), outcome.ok()
                ? "status " + parts[0] + ", connected after " + milliseconds(parts[1])
                        + " ms: the SYN went through a, the SYN-ACK came back through b, and b knew"
                : outcome.output().strip());
    }

    private static String milliseconds(String seconds) { return String.format(Locale.ROOT, "%.1f", Double.parseDouble(seconds) * 1000); }

    private void transfer(Lab lab) {
        step("client: iperf3, one TCP connection, 2 seconds");
        lab.server().start("iperf3-server", () -> Command.attempt(Duration.ofSeconds(30),
                lab.server().command("iperf3", "-s", "-1", "-p", Integer.toString(IPERF_PORT)).toArray(String[]::new)));
        String[] words = { "iperf3", "-c", Addresses.SERVER, "-p", Integer.toString(IPERF_PORT), "-t", "2", "-f", "m" };
        Command.Outcome outcome = new Command.Outcome(1, "");
        // Its server needs a moment to listen.
        for (int attempt = 0; attempt < 20 && !outcome.ok(); attempt++) {
            outcome = Command.attempt(Duration.ofSeconds(20), lab.client().command(words).toArray(String[]::new));
            if (!outcome.ok()) Pause.ms(100);
        }
        expect(outcome.ok(),
                outcome.output().lines().filter(line -> line.contains("sender") || line.contains("receiver")).map(String::strip).findFirst()
                        .orElse(outcome.output().strip()));
    }

    private void survive(Lab lab, Conversations talk) {
        step("two long connections, one of IPv4 and one of IPv6, talk both ways; every byte is checked where it arrives");
        expect(talk.awaitProgress(LIMIT_MS) == talk.size(), "they talk");
        Pause.ms(500);
        step("asking each node what it knows");
        for (LabNode node : lab.nodes()) printSessions(node);
        step("kill -9 of node a, and the client's route moves to b, as a router would do it");
        talk.forgetSilences();
        lab.a().kill9();
        lab.clientVia(lab.b());
        boolean goesOn = talk.awaitProgress(LIMIT_MS) == talk.size() && talk.failures().isEmpty();
        Pause.ms(500);
        Histogram silences = talk.silences();
        expect(goesOn,
                goesOn
                        ? String.format(Locale.ROOT, "both connections go on; the longest silence was %.0f ms",
                                silences.getMaxValue() / 1e6)
                        : "they do not: " + talk.failures());
        step("asking b, which is alone now");
        printSessions(lab.b());
        step("starting a again");
        long beganNs = System.nanoTime();
        lab.a().start();
        lab.a().awaitMembers(2);
        result(String.format(Locale.ROOT, "a is back and has the whole table after %.1f s", (System.nanoTime() - beganNs) / 1e9));
        lab.asymmetric();
        int whole = talk.finish(LIMIT_MS);
        expect(whole == talk.size(),
                String.format(Locale.ROOT, "%d of %d connections closed with every byte in order (%,d bytes), 0 resets", whole, talk.size(),
                        talk.bytesReceived()));
    }

    private void printSessions(LabNode node) {
        List<Session> sessions = node.control().sessions(SessionFilter.newBuilder().setPort(TALK_PORT).build());
        result(node.name() + " has " + node.control().count().getMatching() + " sessions; those that talk:");
        say(String.format("        %-4s %-26s %-26s %-24s %-6s %s", "", "from", "to", "state", "owner", "seen here"));
        for (Session session : sessions.subList(0, Math.min(SHOWN, sessions.size()))) {
            SessionEnds ends = session.getEnds();
            say(String.format("        %-4s %-26s %-26s %-24s %-6s %s", "tcp", end(ends.getSource().toByteArray(), ends.getSourcePort()),
                    end(ends.getDestination().toByteArray(), ends.getDestinationPort()),
                    state(session.getOriginal()) + "/" + state(session.getReply()),
                    session.getOwner(), seen(session)));
        }
        ok &= !sessions.isEmpty();
    }

    private static String seen(Session session) {
        if (session.getOriginalSeenHere() && session.getReplySeenHere()) return "both ways";
        if (session.getOriginalSeenHere()) return "the way out";
        return session.getReplySeenHere() ? "the way back" : "neither way";
    }

    private static String state(Half half) { return half.getState().name().toLowerCase(Locale.ROOT); }

    private static String end(byte[] address, int port) {
        try {
            InetAddress parsed = InetAddress.getByAddress(address);
            String text = parsed.getHostAddress().replaceFirst("(:0)+:0:", "::").replaceFirst("(^|:)(0:)+", "::");
            return address.length == 4 || parsed instanceof java.net.Inet4Address ? text + ":" + port : "[" + text + "]:" + port;
        } catch (UnknownHostException wrong) {
            return "?:" + port;
        }
    }

    private void step(String sentence) {
        say(BAR);
        say("> " + sentence);
    }

    private void result(String sentence) { say("    " + sentence); }

    private void expect(boolean met, String sentence) {
        result((met ? "ok: " : "FAILED: ") + sentence);
        ok &= met;
    }

    private void say(String line) {
        out.println(line);
        out.flush();
    }
}
