package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.PacketSocket;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.FrameCounter;
import io.ambo.hatests.traffic.Frames;
import io.ambo.hatests.traffic.Link;
import io.ambo.hatests.traffic.TcpObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A third party that knows addresses and ports of a connection, and not where its windows are, forges segments of it at both nodes. */
final class OutOfWindow implements Drill {
    private static final int PORT = 7060, PER_KIND = 200;
    /** Stands in the window field of every forged segment: how they are told from honest ones. */
    private static final int MARK = 0x5EED;
    private static final int FAR = 500_000_000;

    @Override
    public String name() { return "out-of-window"; }

    @Override
    public String shows() {
        return "forged RST, SYN and data outside the window reach neither end and kill no session, on the symmetric and the asymmetric path";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN);
        for (String address : List.of(Addresses.SERVER, Addresses.SERVER6)) {
            lab.asymmetric();
            attack(run, lab, address, "asymmetric");
            lab.symmetric(lab.a());
            attack(run, lab, address, "symmetric");
        }
    }

    private static void attack(DrillRun run, Lab lab, String address, String path) {
        String where = path + ", " + (address.contains(":") ? "IPv6" : "IPv4");
        run.progress(where + ": a connection, and " + PER_KIND + " forged segments of each kind at each node from each side");
        try (TcpObserver observer = new TcpObserver(lab.client(), "eth0", PORT); Link link = new Link(lab, address, PORT)) {
            for (int i = 0; i < 20; i++) run.check(where + ": bytes pass before", link.passesBothWays(5_000), "byte " + i);
            // The last acknowledgement is still under way.
            Pause.ms(100);
            Map<String, Long> before = drops(lab);
            try (FrameCounter atServer = forged(lab.server()); FrameCounter atClient = forged(lab.client())) {
                for (LabNode node : lab.nodes()) {
                    inject(lab, node, "left", forgedSegments(lab, node, "left", link, observer));
                    inject(lab, node, "right", forgedSegments(lab, node, "right", link, observer));
                }
                Pause.ms(500);
                run.checkEqual(where + ": forged segments that reached the server", atServer.count(), 0);
                run.checkEqual(where + ": forged segments that reached the client", atClient.count(), 0);
            }
            boolean alive = true;
            for (int i = 0; i < 20; i++) alive &= link.passesBothWays(5_000);
            run.check(where + ": the connection goes on", alive, alive ? "20 bytes each way" : "it does not");
            Map<String, Long> after = drops(lab);
            long counted = after.values().stream().mapToLong(Long::longValue).sum()
                    - before.values().stream().mapToLong(Long::longValue).sum();
            long sent = 2L * 2 * KINDS * PER_KIND;
            run.check(where + ": every forged segment is counted as dropped", counted >= sent, counted + " of " + sent);
        }
    }

    private static FrameCounter forged(NetworkNamespace end) {
        return new FrameCounter(end, "eth0", frame -> {
            int transport = Short.toUnsignedInt(frame.getShort(12)) == 0x86DD ? 54 : 34;
            int protocol = frame.get(Short.toUnsignedInt(frame.getShort(12)) == 0x86DD ? 20 : 23);
            return protocol == Frames.TCP && frame.remaining() >= transport + 20
                    && Short.toUnsignedInt(frame.getShort(transport + 14)) == MARK;
        });
    }

    private static final int KINDS = 5;

    /** From the left they claim to be the client's, from the right the server's. */
    private static List<byte[]> forgedSegments(Lab lab, LabNode node, String side, Link link, TcpObserver observer) {
        boolean asClient = side.equals("left");
        String host = asClient ? "client" : "server";
        var from = asClient ? link.clientEnd() : link.serverEnd();
        var to = asClient ? link.serverEnd() : link.clientEnd();
        Frames.Ends ends = new Frames.Ends(lab.host(host).macOf("eth0"), node.host().macOf(side), from.getAddress(), from.getPort(),
                to.getAddress(), to.getPort());
        int seq = asClient ? observer.clientNext() : observer.serverNext();
        int ack = asClient ? observer.serverNext() : observer.clientNext();
        byte[] data = "forged".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        List<byte[]> segments = new ArrayList<>();
        for (int i = 0; i < PER_KIND; i++) {
            // Ahead of the window and behind it, by turns and by growing distances.
            int far = (i % 2 == 0 ? FAR : -FAR) + i * 1_000_003;
            segments.add(Frames.tcp(ends, Frames.RST, seq + far, 0, MARK, new byte[0]));
            segments.add(Frames.tcp(ends, Frames.RST | Frames.ACK, seq + far, ack, MARK, new byte[0]));
            // Inside the window, and not at the exact place: RFC 5961, section 3.2.
            segments.add(Frames.tcp(ends, Frames.RST, seq + 1 + i, 0, MARK, new byte[0]));
            segments.add(Frames.tcp(ends, Frames.ACK | Frames.PSH, seq + far, ack, MARK, data));
            // What was never sent is acknowledged.
            segments.add(Frames.tcp(ends, Frames.ACK | Frames.PSH, seq, ack + FAR + i, MARK, data));
        }
        return segments;
    }

    private static void inject(Lab lab, LabNode node, String side, List<byte[]> frames) {
        // Out of the switch's port towards the node: as if from any host of that net.
        try (PacketSocket wire = lab.host(side).call(() -> PacketSocket.sender(node.name()))) {
            for (int i = 0; i < frames.size(); i += 50) {
                wire.send(frames.subList(i, Math.min(frames.size(), i + 50)));
                Pause.ms(2);
            }
        }
    }

    private static Map<String, Long> drops(Lab lab) {
        Map<String, Long> drops = new TreeMap<>();
        for (LabNode node : lab.nodes())
            node.control().counters().forEach((name, value) -> {
                if (name.contains("tcp_")) drops.merge(name, value, Long::sum);
            });
        return drops;
    }
}
