package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.sys.PacketSocket;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Frames;
import io.ambo.hatests.traffic.Requests;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.zip.CRC32C;

/** Somebody without the key sits on the sync link: hears all, and sends what pleases it, with the address of a member. */
final class SyncAttack implements Drill {
    private static final int PORT = 7000, GROUP_PORT = 45588, ETHERNET = 14, IPV4 = 20, HEADERS = ETHERNET + IPV4 + 8,
            FRAGMENT = ETHERNET + 6, DESTINATION_PORT = ETHERNET + IPV4 + 2;
    private static final String GROUP = "239.192.10.1";
    private static final long GROUP_MAC = 0x01005e400a01L;
    private static final int SEAL_HEADER = 32, KIND = 2, RUN_AT = 8, TAG = 16;
    private static final int PACKETS = 4_000, FULL_PACKETS = 10_000, BATCH = 20, RECORDED = 200, CONNECTIONS = 200, SESSIONS = 500,
            AT_ONCE = 2;
    private static final long MOST_HEAP_KIB = 16 * 1024;

    @Override
    public String name() { return "sync-attack"; }

    @Override
    public String shows() {
        return "4,000 packets each (--full: 10,000) that are random, of another key, truncated, changed, replayed, duplicated and out of order, from a member's address: all are counted,"
                + " none changes a session or the membership, no memory grows, no connection fails";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(SyncFaults.POLICY, SyncFaults.SHAPE);
        InetSocketAddress server = new InetSocketAddress(Addresses.of(Addresses.SERVER), PORT);
        lab.host("syncnet").ip("link set switch promisc on");
        try (EchoServer _ = new EchoServer(lab.server(), PORT);
                PacketSocket ear = lab.host("syncnet").call(() -> PacketSocket.listener("switch"));
                PacketSocket wire = lab.host("syncnet").call(() -> PacketSocket.sender("switch"))) {
            run.progress("connections, and somebody listens on the sync link");
            Requests.tcp(lab.client(), server, SESSIONS, AT_ONCE);
            Requests.udp(lab.client(), server, SESSIONS, AT_ONCE);
            List<byte[]> recorded = record(ear);
            run.check("sealed packets were recorded", recorded.size() >= RECORDED / 2, recorded.size() + " recorded");
            Tables.checkEqual(run, lab.a(), "before", 5_000);
            long views = counter(lab, "views");
            long sessions = sessions(lab);
            long heap = heapKib(lab);
            Random random = new Random(4711);
            attack(run, lab, wire, server, "random bytes", () -> random(random, random.nextInt(1_400)), "packets_unauthentic");
            attack(run, lab, wire, server, "packets of another key and of runs that nobody knows", () -> strange(random),
                    "packets_unauthentic");
            attack(run, lab, wire, server, "recorded packets cut short", () -> cut(random, any(random, recorded)), "packets_unauthentic");
            attack(run, lab, wire, server, "recorded packets with one bit changed", () -> changed(random, any(random, recorded)),
                    "packets_unauthentic");
            attack(run, lab, wire, server, "recorded packets as they were, in any order and again and again", () -> any(random, recorded),
                    "packets_replayed");
            Tables.checkEqual(run, lab.a(), "after it all", 5_000);
            run.checkEqual("new views", counter(lab, "views") - views, 0);
            run.checkEqual("messages that came through and were malformed", counter(lab, "messages_malformed"), 0);
            run.checkEqual("sessions that stand on both nodes", sessions(lab), sessions);
            long grown = heapKib(lab) - heap;
            run.figure("heap of both nodes, more than before, after a collection", grown, "KiB");
            run.check("the heap has not grown: less than " + MOST_HEAP_KIB + " KiB", grown < MOST_HEAP_KIB, grown + " KiB");
        }
    }

    private static void attack(DrillRun run, Lab lab, PacketSocket wire, InetSocketAddress server, String what, Supplier<byte[]> packet,
            String counter) {
        run.progress("attacking with " + what);
        long counted = counter(lab, counter);
        long beganNs = System.nanoTime();
        int packets = run.scaled(run.isFull() ? FULL_PACKETS : PACKETS);
        long[] macs = { GROUP_MAC, lab.a().host().macOf("sync"), lab.b().host().macOf("sync") };
        String[] addresses = { GROUP, lab.a().syncAddress(), lab.b().syncAddress() };
        Requests.Outcome[] outcome = { Requests.none() };
        Thread traffic = Thread.ofPlatform().start(() -> outcome[0] = Requests.tcp(lab.client(), server, CONNECTIONS, AT_ONCE));
        List<byte[]> batch = new ArrayList<>(BATCH);
        for (int i = 0; i < packets; i++) {
            int to = i % 3;
            LabNode from = to == 1 ? lab.b() : lab.a();
            long fromMac = to == 1 ? macs[2] : macs[1];
            batch.add(Frames.udp(new Frames.Ends(fromMac, macs[to], Addresses.of(from.syncAddress()), GROUP_PORT + 1,
                    Addresses.of(addresses[to]),
                    to == 0 ? GROUP_PORT : GROUP_PORT + 1), packet.get()));
            if (batch.size() < BATCH) continue;
            wire.send(batch);
            batch.clear();
            Pause.ms(1);
        }
        Tables.join(traffic);
        DrillRun.await(2_000, () -> counter(lab, counter) - counted >= packets / 3);
        long refused = counter(lab, counter) - counted;
        run.figure(what + ", sent", packets * 1e9 / (System.nanoTime() - beganNs), "packets/s");
        run.figure(what + ", " + counter, refused, "packets");
        run.check("they are counted: " + what, refused >= packets / 3,
                refused + " of " + packets + " sent (a node drops what bears its own address or its own run before it counts)");
        run.check("no connection fails meanwhile: " + what, outcome[0].failures().isEmpty() && outcome[0].done() == CONNECTIONS,
                outcome[0].done() + " done, failed: " + outcome[0].failures());
    }

    /** Whole sealed packets that went over the link. */
    private static List<byte[]> record(PacketSocket ear) {
        List<byte[]> recorded = new ArrayList<>();
        for (int looked = 0; looked < 20_000 && recorded.size() < RECORDED; looked++) {
            ByteBuffer frame = ear.receive();
            if (!frame.hasRemaining()) break;
            if (frame.remaining() < HEADERS + SEAL_HEADER + TAG) continue;
            byte[] bytes = new byte[frame.remaining()];
            frame.get(bytes);
            boolean udp = bytes[12] == 8 && bytes[13] == 0 && bytes[ETHERNET + 9] == 17 && (bytes[FRAGMENT] & 0x3F) == 0
                    && bytes[FRAGMENT + 1] == 0;
            int port = (bytes[DESTINATION_PORT] & 0xFF) << 8 | bytes[DESTINATION_PORT + 1] & 0xFF;
            if (!udp || port != GROUP_PORT && port != GROUP_PORT + 1 || bytes[HEADERS] != 'A') continue;
            int length = ((bytes[ETHERNET + IPV4 + 4] & 0xFF) << 8 | bytes[ETHERNET + IPV4 + 5] & 0xFF) - 8;
            recorded.add(Arrays.copyOfRange(bytes, HEADERS, Math.min(bytes.length, HEADERS + length)));
        }
        return recorded;
    }

    private static byte[] any(Random random, List<byte[]> recorded) { return recorded.get(random.nextInt(recorded.size())); }

    private static byte[] random(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    /** Looks like a packet of this cluster in all that can be read, sealed with nothing. */
    private static byte[] strange(Random random) {
        byte[] bytes = random(random, SEAL_HEADER + TAG + random.nextInt(1_000));
        CRC32C crc = new CRC32C();
        crc.update("lab".getBytes(StandardCharsets.UTF_8));
        ByteBuffer.wrap(bytes).put((byte) 'A').put((byte) 1).put((byte) (1 + random.nextInt(4))).put((byte) 0).putInt((int) crc.getValue());
        return bytes;
    }

    private static byte[] cut(Random random, byte[] packet) { return Arrays.copyOf(packet, random.nextInt(packet.length)); }

    /** The kind, the run, the number or the ciphertext; magic, version and cluster would make it a stranger's. */
    private static byte[] changed(Random random, byte[] packet) {
        byte[] bytes = packet.clone();
        int at = random.nextInt(10) == 0 ? KIND : RUN_AT + random.nextInt(packet.length - RUN_AT);
        bytes[at] ^= (byte) (1 << random.nextInt(8));
        return bytes;
    }

    private static long counter(Lab lab, String name) {
        return lab.nodes().stream().mapToLong(node -> node.control().counters().getOrDefault(name, 0L)).sum();
    }

    private static long sessions(Lab lab) { return lab.nodes().stream().mapToLong(node -> node.control().count().getUdp()).sum(); }

    private static long heapKib(Lab lab) { return lab.nodes().stream().mapToLong(Tables::heapKib).sum(); }
}
