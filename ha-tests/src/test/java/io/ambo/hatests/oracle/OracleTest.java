package io.ambo.hatests.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.hatests.capture.CaptureWriter;
import io.ambo.hatests.capture.CapturedPacket;
import io.ambo.node.config.Config;
import io.ambo.node.config.ConfigLoader;
import io.ambo.node.config.HostFacts;
import io.ambo.node.config.Loaded;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** A pair is one device. Each capture is played in many deals, with late and lost deltas; each address family and each translation has a turn. */
class OracleTest {
    private static final int DEALS = Integer.getInteger("oracle.deals", 6);
    private static final String TRANSLATED = """
            node: { name: a }
            interfaces: [ { name: inside, zone: inside }, { name: outside, zone: outside } ]
            cluster: { name: oracle, bind-address: 192.0.2.1, key-file: /oracle, members: [ a, b ] }
            firewall: { default: drop, rules: [ { name: open, from: inside, action: allow } ] }
            nat: [ { name: service, from: inside, destination: [ 192.0.2.0/24, "2001:db8:1::/48" ], protocol: tcp, ports: 80, DNAT },
                   { name: hide, from: inside, to: outside, SNAT } ]
            """;

    /** Which world a capture is played in. */
    private enum World {
        V4, V6, V4_TRANSLATED, V6_TRANSLATED;

        String client(int number) { return isV6() ? "2001:db8:0::" + number : "10.0.0." + number; }

        String server(int number) { return isV6() ? "2001:db8:1::" + number : "192.0.2." + number; }

        String router() { return isV6() ? "2001:db8:9::1" : "198.51.100.1"; }

        boolean isV6() { return this == V6 || this == V6_TRANSLATED; }

        /** Packets of one flow that come to two nodes at once would get two translations: there the first one waits until the peer knows of it. */
        Config config(Oracle.Deal deal) {
            return switch (ConfigLoader.parse("test", text(deal), HostFacts.UNKNOWN)) {
                case Loaded.Accepted(Config accepted) -> accepted;
                case Loaded.Refused refused -> throw new AssertionError(refused.report());
            };
        }

        String text(Oracle.Deal deal) {
            String text = switch (this) {
                case V4, V6 -> OpenPolicy.TEXT;
                case V4_TRANSLATED ->
                    TRANSLATED.replace("DNAT", "dnat: 172.16.0.5, dnat-port: 8080").replace("SNAT", "snat: 203.0.113.0/30")
                            .replace(", \"2001:db8:1::/48\"", "");
                case V6_TRANSLATED -> TRANSLATED.replace("DNAT", "dnat: \"2001:db8:5::5\", dnat-port: 8080")
                        .replace("SNAT", "snat: \"2001:db8:cafe::/126\"").replace("192.0.2.0/24, ", "");
            };
            String defer = deal == Oracle.Deal.PACKET && text.contains("nat:") ? ", defer: true }" : " }";
            return text.replace("action: allow }", "action: allow" + defer);
        }
    }

    /** Writes a capture for a world. */
    private interface Play {
        void write(Packets capture, World world);
    }

    /** @param drops packets that one node drops, so that a capture shows what it says */
    private record Scene(String name, int drops, Play play) {}

    private static final List<Scene> SCENES = List.of(
            new Scene("a download", 0, OracleTest::download),
            new Scene("retransmissions", 0, (capture, world) -> {
                Packets.Tcp web = capture.tcp(world.client(1), 40_000, world.server(1), 80);
                web.at(true, Packets.SYN, web.clientSeq, 0, 0);
                capture.pauseMs(1000);
                web.at(true, Packets.SYN, web.clientSeq, 0, 0);
                web.clientSeq++;
                web.at(false, Packets.SYN | Packets.ACK, web.serverSeq, web.clientSeq, 0).at(false, Packets.SYN | Packets.ACK,
                        web.serverSeq,
                        web.clientSeq, 0);
                web.serverSeq++;
                web.client("A", 0).client("PA", 300);
                web.at(true, Packets.PSH | Packets.ACK, web.clientSeq - 300, web.serverSeq, 300);
                web.server("A", 1000).server("A", 1000);
                web.at(false, Packets.ACK, web.serverSeq - 2000, web.clientSeq, 1000);
                web.client("A", 0).client("A", 0).close();
                web.at(false, Packets.FIN | Packets.ACK, web.serverSeq - 1, web.clientSeq, 0).client("A", 0);
            }),
            new Scene("half-close", 0, (capture, world) -> {
                Packets.Tcp web = capture.tcp(world.client(2), 40_001, world.server(1), 80).open();
                web.client("PA", 50).client("FA", 0).server("A", 0);
                for (int i = 0; i < 20; i++) web.server("A", 1400).client("A", 0);
                web.server("FA", 0).client("A", 0);
            }),
            new Scene("simultaneous open", 0, (capture, world) -> {
                // Both ends may open: only where nothing is translated do they know each other's ends.
                Packets.Tcp peers = capture.tcp(world.client(3), 40_002, world.server(2), 5000);
                peers.at(true, Packets.SYN, peers.clientSeq, 0, 0);
                // A crossing SYN that meets a node before the session does is one that opens another: it is sent again.
                capture.pauseMs(100);
                peers.at(false, Packets.SYN, peers.serverSeq, 0, 0);
                peers.at(true, Packets.SYN | Packets.ACK, peers.clientSeq, peers.serverSeq + 1, 0);
                peers.at(false, Packets.SYN | Packets.ACK, peers.serverSeq, peers.clientSeq + 1, 0);
                peers.clientSeq++;
                peers.serverSeq++;
                peers.client("A", 10).server("A", 20).client("A", 0).close();
            }),
            new Scene("port reuse", 0, (capture, world) -> {
                for (int life = 0; life < 4; life++) {
                    Packets.Tcp web = capture.tcp(world.client(4), 40_003, world.server(1), 80);
                    web.clientSeq += life * 50_000_000;
                    web.serverSeq -= life * 90_000_000;
                    web.open().client("PA", 100).server("PA", 900).client("A", 0).close();
                    capture.pauseMs(life % 2 == 0 ? 200 : 15_000);
                }
            }),
            new Scene("out of window", 4, (capture, world) -> {
                Packets.Tcp web = capture.tcp(world.client(5), 40_004, world.server(1), 80).open();
                web.client("PA", 100).server("A", 500).client("A", 0);
                int far = 64_000_000;
                capture.pauseMs(100); // what a node has not heard of yet it cannot refuse
                web.at(true, Packets.ACK, web.clientSeq + far, web.serverSeq, 100);
                web.at(false, Packets.ACK, web.serverSeq - far, web.clientSeq, 100);
                web.at(true, Packets.ACK, web.clientSeq, web.serverSeq + far, 0);
                web.at(false, Packets.RST, web.serverSeq + 1000, 0, 0);
                web.client("A", 10).server("A", 10).client("A", 0).close();
            }),
            new Scene("a refused connection", 0, (capture, world) -> {
                Packets.Tcp web = capture.tcp(world.client(6), 40_005, world.server(1), 81);
                web.at(true, Packets.SYN, web.clientSeq++, 0, 0).at(false, Packets.RST | Packets.ACK, 0, web.clientSeq, 0);
                capture.pauseMs(1000);
                web.clientSeq += 7_000_000;
                web.at(true, Packets.SYN, web.clientSeq++, 0, 0).at(false, Packets.RST | Packets.ACK, 0, web.clientSeq, 0);
            }),
            new Scene("reset in the midst", 1, (capture, world) -> {
                Packets.Tcp web = capture.tcp(world.client(7), 40_006, world.server(1), 80).open();
                web.client("PA", 100).server("A", 1000).client("A", 0).client("PA", 700).at(true, Packets.RST | Packets.ACK, web.clientSeq,
                        web.serverSeq, 0);
                capture.pauseMs(20_000);
                web.client("A", 5);
            }),
            new Scene("datagrams", 0, (capture, world) -> {
                for (int i = 0; i < 10; i++)
                    capture.udp(world.client(8), 5353, world.server(3), 53, 40).udp(world.server(3), 53, world.client(8), 5353,
                            200);
                for (int i = 0; i < 10; i++) capture.udp(world.client(8), 5000 + i, world.server(3), 53, 40);
                for (int i = 0; i < 10; i++) capture.udp(world.server(3), 53, world.client(8), 5000 + i, 300);
            }),
            new Scene("uninvited datagrams", 5, (capture, world) -> {
                capture.udp(world.client(9), 1000, world.server(3), 53, 40);
                for (int i = 0; i < 5; i++) capture.udp(world.server(3), 53, world.client(9), 2000 + i, 40);
                capture.udp(world.server(3), 53, world.client(9), 1000, 40);
            }),
            new Scene("a session at the edge of its time", 0, (capture, world) -> {
                capture.udp(world.client(10), 1000, world.server(4), 4500, 40).udp(world.server(4), 4500, world.client(10), 1000, 40);
                for (int i = 0; i < 6; i++) {
                    capture.pauseMs(100_000).udp(world.server(4), 4500, world.client(10), 1000, 20);
                }
            }),
            new Scene("pings", 2, (capture, world) -> {
                for (int i = 0; i < 10; i++)
                    capture.ping(world.client(11), world.server(5), 77, i, true).ping(world.server(5), world.client(11), 77, i,
                            false);
                capture.ping(world.server(5), world.client(11), 78, 1, false).ping(world.server(5), world.client(11), 79, 1, true);
            }),
            new Scene("errors", 1, (capture, world) -> {
                Packets.Tcp web = capture.tcp(world.client(12), 40_007, world.server(1), 80).open();
                web.client("PA", 1400);
                byte[] segment = capture.last();
                capture.error(world.router(), segment, true);
                web.at(true, Packets.PSH | Packets.ACK, web.clientSeq - 1400, web.serverSeq, 1000).client("PA", 100);
                capture.udp(world.client(12), 6000, world.server(6), 6001, 30).error(world.server(6), capture.last(), false);
                capture.udp(world.client(12), 6002, world.server(6), 6003, 30).udp(world.server(6), 6003, world.client(12), 6002, 30);
                capture.error(world.client(12), capture.last(), false);
                capture.tcp(world.client(12), 40_999, world.server(1), 80).at(true, Packets.ACK, 1, 1, 10);
                byte[] never = capture.last();
                capture.all().removeLast();
                capture.error(world.router(), never, true);
            }),
            new Scene("fragments", 0, (capture, world) -> {
                capture.udpInFragments(world.client(13), 7000, world.server(7), 7001, 2000, false).pauseMs(100);
                capture.udpInFragments(world.client(13), 7000, world.server(7), 7001, 2000, true);
                capture.udpInFragments(world.server(7), 7001, world.client(13), 7000, 2000, false);
                capture.udpInFragments(world.server(7), 7001, world.client(13), 7000, 2000, true);
            }),
            new Scene("a scan", 0, (capture, world) -> {
                for (int port = 1; port <= 60; port++) {
                    Packets.Tcp probe = capture.tcp(world.client(14), 50_000, world.server(8), port);
                    probe.at(true, Packets.SYN, probe.clientSeq++, 0, 0);
                    if (port % 2 == 0) probe.at(false, Packets.RST | Packets.ACK, 0, probe.clientSeq, 0);
                    else
                        probe.at(false, Packets.SYN | Packets.ACK, probe.serverSeq++, probe.clientSeq, 0).at(true, Packets.RST,
                                probe.clientSeq, 0, 0);
                }
            }));

    private static void download(Packets capture, World world) {
        Packets.Tcp web = capture.tcp(world.client(1), 40_000, world.server(1), 80).open().client("PA", 200).server("A", 0);
        for (int round = 0; round < 30; round++) {
            for (int i = 0; i < 10; i++) web.server("A", 1400);
            web.client("A", 0).client("A", 0);
        }
        web.server("FA", 0).client("FA", 0).server("A", 0);
    }

    @TestFactory
    Stream<DynamicTest> aPairIsOneDevice() {
        return Stream.of(World.values())
                .flatMap(world -> SCENES.stream()
                        .filter(scene -> fits(scene, world) && scene.name().contains(System.getProperty("oracle.scene", "")))
                        .map(scene -> DynamicTest.dynamicTest(scene.name() + " " + world, () -> play(scene, world))));
    }

    /** A simultaneous open needs ends that both know. */
    private static boolean fits(Scene scene, World world) {
        return !scene.name().equals("simultaneous open") || world == World.V4 || world == World.V6;
    }

    private static void play(Scene scene, World world) throws Exception {
        Packets capture = new Packets();
        scene.play().write(capture, world);
        Script script = Script.of(capture.all());
        for (Oracle.Deal deal : Oracle.Deal.values()) {
            Config config = world.config(deal);
            Oracle.Answer answer = new Oracle(script, config, new Sides(config, List.of(), script),
                    new Oracle.Settings(1, DEALS, deal, 5_000_000, 0.1)).ask();
            answer.first().ifPresent(difference -> {
                throw new AssertionError(
                        scene.name() + ", " + world + ", " + deal + ": " + difference.what() + " of packet " + difference.step()
                                + "\n  one node " + difference.one() + "\n  the pair " + difference.pair() + "\n  "
                                + String.join("\n  ", difference.history()) + "\n  seed " + difference.seed());
            });
            assertThat(answer.dropped()).as("dropped by one node").isEqualTo(scene.drops());
        }
    }

    /** The command, on a file; and what it says of a pair that is not one device. */
    @Test
    void aDifferenceIsShownWithItsHistory(@TempDir Path directory) throws Exception {
        Packets capture = new Packets();
        World world = World.V4_TRANSLATED;
        // Without a word to the peer in between two nodes give two ports to one session.
        for (int i = 0; i < 6; i++) capture.udp(world.client(1), 5353, world.server(1), 53, 40);
        Path file = write(directory, capture);
        Path config = Files.writeString(directory.resolve("ambo.yml"), World.V4_TRANSLATED.text(Oracle.Deal.FLOW));
        String answer = command(1, file.toString(), "--config", config.toString(), "--json");
        assertThat(answer).contains("\"same\": false", "the port in the midst of a session", "\"history\": [", "a takes");
        assertThat(command(0, file.toString(), "--config", config.toString(), "--deal", "flow")).startsWith("one device: 6 packets");
        command(2, directory.resolve("none.pcap").toString());
        command(2, config.toString());
        command(2, file.toString(), "--delay", "5 parsecs");
    }

    private static Path write(Path directory, Packets capture) throws IOException {
        Path file = directory.resolve("capture.pcap");
        try (CaptureWriter writer = new CaptureWriter(file)) {
            for (CapturedPacket packet : capture.all()) writer.write(packet.timeNs(), packet.frame());
        }
        return file;
    }

    private static String command(int exitCode, String... arguments) {
        PrintStream before = System.out;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        try {
            assertThat(new CommandLine(new OracleCommand()).execute(arguments)).isEqualTo(exitCode);
        } finally {
            System.setOut(before);
        }
        return out.toString(StandardCharsets.UTF_8);
    }
}
