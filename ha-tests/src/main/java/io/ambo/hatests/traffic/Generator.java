package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.sys.Libc;
import io.ambo.hatests.sys.LiveFrames;
import io.ambo.hatests.sys.Pause;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.BpfObject;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import org.HdrHistogram.Histogram;

/**
 * Packets made and counted in the kernel (traffic.bpf.c): some nine million a second from one processor, and nothing of them reaches user space. Between a
 * client and a server; in either direction.
 */
public final class Generator implements AutoCloseable {
    /** Flows of one client address, and of all together. */
    public static final int FLOWS_OF_ADDRESS = 50_000, MAX_FLOWS = 1 << 20;
    public static final int SERVER_PORT = 9_000;
    private static final int UDP = 17, TCP = 6, HEADERS_UDP = 42, HEADERS_TCP = 54, SHORTEST = 60;
    private static final int SYN = 2, PSH = 8, ACK = 16;
    private static final int CLIENT_SEQ = 1_000_000, SERVER_SEQ = 2_000_000, WINDOW = 65_535;
    private static final int NO_STAMPS = 0, STAMPS = 1, PROBE_STAMPS = 2;
    /** struct plan. */
    private static final int PLAN_SIZE = 64, IFINDEX = 0, FLOWS = 4, CLIENT = 8, SERVER = 12, PORT = 16, WINDOW_AT = 18, PROTOCOL = 20,
            REVERSE = 21,
            STAMPED = 22, FLAGS = 23, SEQ = 24, ACK_AT = 28, PAYLOAD = 32, FLOW = 36, ROUND = 40, MAC = 48;
    private static final int TALLY_SIZE = 40, TALLY_LAST = 32, BUCKETS = 64 << 5, SUB_BITS = 5;
    /** Frames that go out together. */
    private static final int BATCH = 64, PACED_BATCH = 32;
    private static final int DRAIN_MS = 30, LARGEST_CALL = 2_000_000;
    /** New flows: from these addresses of the client, none of which is a node's own; and what one call sends, which no ring on the way is too short for. */
    private static final int FIRST_NEW_HOST = 100, NEW_FLOWS = 150 * FLOWS_OF_ADDRESS, LARGEST_NEW_CALL = 128, NEW_CALLS_PER_SECOND = 1_000;
    /** What a paced call sends at most: the ring of a slow path takes it at once. */
    private static final int PACED_CALL = 2_000;

    /**
     * What is sent.
     *
     * @param flows    so many different ones, in turn
     * @param protocol UDP or TCP
     * @param payload  bytes behind the transport header
     * @param stamps   UDP only: with {@code STAMPS} each datagram carries its number and time, and the receiver looks for gaps and delays
     * @param tcpFlags TCP only
     */
    public record Load(int flows, int protocol, int payload, int stamps, int tcpFlags) {
        /** Datagrams in frames of 60 bytes. */
        public static Load udp(int flows) {
            return new Load(flows, UDP, SHORTEST - HEADERS_UDP, NO_STAMPS, 0);
        }

        public Load withStamps() { return new Load(flows, protocol, payload, STAMPS, tcpFlags); }

        /** The receiver looks for stamps, which a {@link Probe} writes between these. */
        public Load besideProbes() {
            return new Load(flows, protocol, payload, PROBE_STAMPS, tcpFlags);
        }

        boolean stamped() { return stamps == STAMPS; }

        /** Acknowledgements in frames of 60 bytes. */
        public static Load tcp(int flows) { return new Load(flows, TCP, 0, NO_STAMPS, ACK); }

        /** Segments in frames of 1,500 bytes. */
        public static Load tcpData(int flows) {
            return new Load(flows, TCP, 1_500 - HEADERS_TCP, NO_STAMPS, ACK | PSH);
        }

        public int frameBytes() { return Math.max(SHORTEST, (protocol == UDP ? HEADERS_UDP : HEADERS_TCP) + payload); }

        public boolean isTcp() { return protocol == TCP; }
    }

    /**
     * What became of a run.
     *
     * @param sentNs  time it took to send, without preparations
     * @param missing numbers that were skipped, with stamps
     */
    public record Result(long sent, long received, long sentNs, long missing, long late) {
        public double receivedPerSecond() { return received * 1e9 / sentNs; }

        public double sentPerSecond() { return sent * 1e9 / sentNs; }

        public long lost() { return sent - received; }
    }

    private final NetworkNamespace client;
    private final NetworkNamespace server;
    private final String clientDevice;
    private final String serverDevice;
    private final long nodeLeftMac;
    private final long nodeRightMac;
    private final int clientIndex;
    private final int serverIndex;
    private final BpfObject object;
    private final List<Integer> links = new ArrayList<>();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment zero = arena.allocate(4, 4);
    private final MemorySegment plan = arena.allocate(PLAN_SIZE, 8);
    private final MemorySegment tallies;
    private final int cpu;
    private String serverAddress = Addresses.SERVER;
    private int burst = PACED_CALL;
    private int nextNew;

    /**
     * @param nodeLeftMac  where frames from the client go
     * @param nodeRightMac where frames from the server go
     * @param cpu          that sends
     */
    public Generator(NetworkNamespace client, String clientDevice, NetworkNamespace server, String serverDevice, long nodeLeftMac,
            long nodeRightMac, int cpu) {
        this(client, clientDevice, server, serverDevice, nodeLeftMac, nodeRightMac, cpu, "sink");
    }

    /** Both ends of a line carry TCP handshakes through, that {@link #openNew} begins; {@link #received} counts complete ones, and datagrams. */
    public static Generator answering(Line line, int cpu) {
        Generator generator = new Generator(line.client(), "eth0", line.server(), "eth0", line.a().host().macOf("left"),
                line.a().host().macOf("right"), cpu, "answer");
        generator.keepInDispatcher();
        return generator;
    }

    private Generator(NetworkNamespace client, String clientDevice, NetworkNamespace server, String serverDevice, long nodeLeftMac,
            long nodeRightMac, int cpu, String receiver) {
        this.client = client;
        this.server = server;
        this.clientDevice = clientDevice;
        this.serverDevice = serverDevice;
        this.nodeLeftMac = nodeLeftMac;
        this.nodeRightMac = nodeRightMac;
        this.cpu = cpu;
        object = BpfObject.load(resource(), "traffic.bpf.o", Map.of(), Map.of());
        tallies = arena.allocate((long) TALLY_SIZE * Bpf.possibleCpus(), 8);
        clientIndex = attach(client, clientDevice, receiver);
        serverIndex = attach(server, serverDevice, receiver);
    }

    /**
     * A program that runs on live frames is put into the kernel's dispatcher for each call, and each time all processors are waited for (25 ms), unless it is there already, because some interface has it. So it gets one
     * of its own, on which nothing ever comes in.
     */
    private void keepInDispatcher() {
        client.ip("link add name hold type veth peer name hold-peer");
        attach(client, "hold", "generate");
    }

    /** Puts the bare redirect between two interfaces of a host, in both directions: a forwarder that does nothing else. */
    public void redirectBetween(NetworkNamespace host, String left, String right) {
        int leftIndex = attach(host, left, "redirect");
        int rightIndex = attach(host, right, "redirect");
        way(leftIndex, rightIndex, server.macOf(serverDevice), host.macOf(right));
        way(rightIndex, leftIndex, client.macOf(clientDevice), host.macOf(left));
    }

    /** Frames towards the server have this address from now on: a virtual one, that the forwarder translates. */
    public void sendTo(String address) {
        serverAddress = address;
    }

    /** What a paced run sends at once at most. Each such call takes some 25 ms before it sends. */
    public void burst(int packets) {
        burst = packets;
    }

    private void way(int from, int to, long destination, long source) {
        MemorySegment way = arena.allocate(16, 4);
        way.set(ValueLayout.JAVA_INT, 0, to);
        putMac(way, 4, destination);
        putMac(way, 10, source);
        check(Bpf.update(object.map("ways"), arena.allocateFrom(ValueLayout.JAVA_INT, from), way, Bpf.ANY));
    }

    private int attach(NetworkNamespace host, String device, String program) {
        return host.call(() -> {
            int index = Libc.interfaceIndex(device);
            int link = Bpf.attachXdp(object.program(program), index, Bpf.XDP_FLAGS_NATIVE);
            check(link);
            links.add(link);
            return index;
        });
    }

    /** Starts {@link #run} on a thread of its own. */
    public Future<Result> start(Load load, boolean reverse, long packets, int perSecond) {
        CompletableFuture<Result> result = new CompletableFuture<>();
        Thread.ofPlatform().daemon().name("generator").start(() -> {
            try {
                result.complete(run(load, reverse, packets, perSecond));
            } catch (Throwable failed) {
                result.completeExceptionally(failed);
            }
        });
        return result;
    }

    /** Sends nothing; the receivers look at the stamps of those that a {@link Probe} sends. */
    public void expectProbes() {
        setPlan(Load.udp(1).besideProbes(), false, 0, 0);
    }

    /** How fast frames are made when nobody takes them. */
    public double alonePerSecond(Load load, int packets) {
        setPlan(load, false, CLIENT_SEQ, SERVER_SEQ);
        plan.set(ValueLayout.JAVA_INT, IFINDEX, 0);
        check(Bpf.update(object.map("plans"), zero, plan, Bpf.ANY));
        return packets * 1e9 / send(load, false, packets, 0);
    }

    /** Opens the sessions of a TCP load: SYN, SYN and ACK, ACK of every flow. The rate is that of the slow path. */
    public void openTcp(int flows, int perSecond) {
        paced(new Load(flows, TCP, 0, NO_STAMPS, SYN), false, CLIENT_SEQ - 1, 0, perSecond);
        paced(new Load(flows, TCP, 0, NO_STAMPS, SYN | ACK), true, SERVER_SEQ - 1, CLIENT_SEQ, perSecond);
        paced(new Load(flows, TCP, 0, NO_STAMPS, ACK), false, CLIENT_SEQ, SERVER_SEQ, perSecond);
    }

    /**
     * Begins sessions that never were before, at a steady pace, by a SYN or by a datagram each. Comes before all other threads, and sleeps between its calls: as if it had a processor of its own.
     *
     * @return how many
     */
    public synchronized long openNew(boolean tcp, long durationMs, int perSecond) {
        int protocol = tcp ? TCP : UDP;
        Load load = new Load(NEW_FLOWS, protocol, tcp ? 0 : SHORTEST - HEADERS_UDP, NO_STAMPS, tcp ? SYN : 0);
        setPlan(load, false, CLIENT_SEQ - 1, 0);
        int base = ByteBuffer.wrap(Addresses.of(Addresses.CLIENT).getAddress()).getInt() & ~0xFF;
        plan.set(ValueLayout.JAVA_INT, CLIENT, base + FIRST_NEW_HOST);
        plan.set(ValueLayout.JAVA_INT, FLOW, nextNew);
        check(Bpf.update(object.map("plans"), zero, plan, Bpf.ANY));
        int call = Math.clamp(perSecond / NEW_CALLS_PER_SECOND, 1, LARGEST_NEW_CALL);
        byte[] frame = new byte[SHORTEST];
        long sent = client.call(() -> Pace.keep(cpu, durationMs, perSecond, call,
                () -> LiveFrames.run(object.program("generate"), frame, clientIndex, call, call)));
        nextNew = (int) ((nextNew + sent) % NEW_FLOWS);
        return sent;
    }

    private void paced(Load load, boolean reverse, int seq, int ack, int perSecond) {
        setPlan(load, reverse, seq, ack);
        send(load, reverse, load.flows(), perSecond);
    }

    /**
     * One packet of every flow after the other, for so many packets.
     *
     * @param perSecond 0: as fast as it goes
     */
    public synchronized Result run(Load load, boolean reverse, long packets, int perSecond) {
        setPlan(load, reverse, reverse ? SERVER_SEQ : CLIENT_SEQ, reverse ? CLIENT_SEQ : SERVER_SEQ);
        if (load.stamped()) forgetRounds();
        long[] before = tally();
        long tookNs = send(load, reverse, packets, perSecond);
        Pause.ms(DRAIN_MS);
        long[] after = tally();
        check(Bpf.lookup(object.map("plans"), zero, plan));
        long sent = plan.get(ValueLayout.JAVA_LONG, ROUND) * load.flows() + plan.get(ValueLayout.JAVA_INT, FLOW);
        return new Result(sent, after[0] - before[0], tookNs, after[2] - before[2], after[3] - before[3]);
    }

    private long send(Load load, boolean reverse, long packets, int perSecond) {
        NetworkNamespace from = reverse ? server : client;
        int index = reverse ? serverIndex : clientIndex;
        byte[] frame = new byte[load.frameBytes()];
        return from.call(() -> {
            Libc.pinThread(cpu);
            long began = System.nanoTime();
            long left = packets;
            long sent = 0;
            long sendingNs = 0;
            while (left > 0) {
                long slice = LARGEST_CALL;
                if (perSecond > 0) {
                    // A call takes some 25 ms before it sends: each makes up for the time since it was its turn.
                    long due = (System.nanoTime() - began + 25_000_000) / 1000 * perSecond / 1_000_000 - sent;
                    slice = Math.clamp(due, 1, burst);
                }
                int count = (int) Math.min(left, slice);
                int ns = LiveFrames.run(object.program("generate"), frame, index, count, perSecond > 0 ? PACED_BATCH : BATCH);
                sendingNs += (long) ns * count;
                left -= count;
                sent += count;
            }
            return perSecond > 0 ? System.nanoTime() - began : sendingNs;
        });
    }

    private void setPlan(Load load, boolean reverse, int seq, int ack) {
        plan.fill((byte) 0);
        plan.set(ValueLayout.JAVA_INT, IFINDEX, reverse ? serverIndex : clientIndex);
        plan.set(ValueLayout.JAVA_INT, FLOWS, load.flows());
        plan.set(ValueLayout.JAVA_INT, CLIENT, ByteBuffer.wrap(Addresses.of(Addresses.CLIENT).getAddress()).getInt());
        plan.set(ValueLayout.JAVA_INT, SERVER,
                ByteBuffer.wrap(Addresses.of(reverse ? Addresses.SERVER : serverAddress).getAddress()).getInt());
        plan.set(ValueLayout.JAVA_SHORT, PORT, (short) SERVER_PORT);
        plan.set(ValueLayout.JAVA_SHORT, WINDOW_AT, (short) WINDOW);
        plan.set(ValueLayout.JAVA_BYTE, PROTOCOL, (byte) load.protocol());
        plan.set(ValueLayout.JAVA_BYTE, REVERSE, (byte) (reverse ? 1 : 0));
        plan.set(ValueLayout.JAVA_BYTE, STAMPED, (byte) load.stamps());
        plan.set(ValueLayout.JAVA_BYTE, FLAGS, (byte) load.tcpFlags());
        plan.set(ValueLayout.JAVA_INT, SEQ, seq);
        plan.set(ValueLayout.JAVA_INT, ACK_AT, ack);
        plan.set(ValueLayout.JAVA_INT, PAYLOAD, load.payload());
        putMac(plan, MAC, reverse ? nodeRightMac : nodeLeftMac);
        putMac(plan, MAC + 6, reverse ? server.macOf(serverDevice) : client.macOf(clientDevice));
        check(Bpf.update(object.map("plans"), zero, plan, Bpf.ANY));
    }

    private void forgetRounds() {
        int map = object.map("rounds");
        MemorySegment nothing = arena.allocate(8, 8);
        MemorySegment key = arena.allocate(4, 4);
        int flows = plan.get(ValueLayout.JAVA_INT, FLOWS);
        for (int flow = 0; flow < flows; flow++) {
            key.set(ValueLayout.JAVA_INT, 0, flow);
            check(Bpf.update(map, key, nothing, Bpf.ANY));
        }
    }

    /** Packets that have come to either end, of any source. */
    public long received() { return tally()[0]; }

    /** When the last stamped packet came, on the line of {@link System#nanoTime}. */
    public long lastArrivalNs() {
        check(Bpf.lookup(object.map("tallies"), zero, tallies));
        long last = 0;
        for (int at = 0; at < tallies.byteSize(); at += TALLY_SIZE)
            last = Math.max(last, tallies.get(ValueLayout.JAVA_LONG, at + TALLY_LAST));
        return last;
    }

    /** Packets, bytes, missing, late: sums over all processors. */
    private long[] tally() {
        check(Bpf.lookup(object.map("tallies"), zero, tallies));
        long[] sums = new long[TALLY_SIZE / 8];
        for (int at = 0; at < tallies.byteSize(); at += 8) sums[at % TALLY_SIZE / 8] += tallies.get(ValueLayout.JAVA_LONG, at);
        return sums;
    }

    /** Delays in nanoseconds of the stamped datagrams since the last call. Each value is exact to 3 percent. */
    public Histogram takeDelays() {
        Histogram histogram = new Histogram(60_000_000_000L, 3);
        int map = object.map("delays");
        MemorySegment key = arena.allocate(4, 4);
        MemorySegment values = arena.allocate(8L * Bpf.possibleCpus(), 8);
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            key.set(ValueLayout.JAVA_INT, 0, bucket);
            check(Bpf.lookup(map, key, values));
            long count = 0;
            for (int at = 0; at < values.byteSize(); at += 8) count += values.get(ValueLayout.JAVA_LONG, at);
            if (count == 0) continue;
            histogram.recordValueWithCount(Math.min(nanosecondsOf(bucket), 60_000_000_000L), count);
            values.fill((byte) 0);
            check(Bpf.update(map, key, values, Bpf.ANY));
        }
        return histogram;
    }

    private static long nanosecondsOf(int bucket) {
        int high = bucket >> SUB_BITS;
        return high == 0 ? bucket : (1L << SUB_BITS | bucket & (1 << SUB_BITS) - 1) << high - 1;
    }

    private static void putMac(MemorySegment to, long at, long mac) {
        for (int i = 0; i < 6; i++) to.set(ValueLayout.JAVA_BYTE, at + i, (byte) (mac >>> 40 - 8 * i));
    }

    private static void check(int result) {
        if (result < 0) throw new IllegalStateException("bpf: " + io.ambo.node.sys.Errno.text(-result));
    }

    private static byte[] resource() {
        try (InputStream stream = Generator.class.getResourceAsStream("/traffic.bpf.o")) {
            if (stream == null) throw new IllegalStateException("traffic.bpf.o is not there: run ./ambo build");
            return stream.readAllBytes();
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    @Override
    public void close() {
        for (int link : links) io.ambo.node.sys.Libc.close(link);
        object.close();
        arena.close();
    }
}
