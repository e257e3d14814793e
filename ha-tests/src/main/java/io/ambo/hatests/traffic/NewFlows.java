package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.sys.PacketSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Datagrams, each of a flow that was never seen before, at a steady pace, where {@link Generator#openNew} cannot send: through a switch, which takes no frames from XDP. */
public final class NewFlows implements AutoCloseable {
    private static final int FRAME = 60, HEADERS = 42, IP_CHECKSUM = 24, SOURCE = 26, SOURCE_PORT = 34, UDP_CHECKSUM = 40;
    private static final int FIRST_PORT = 10_000, FLOWS_OF_ADDRESS = 50_000, BATCH = 16;
    /** Last byte of the client's addresses; none is a node's own. */
    private static final int FIRST_HOST = 100, HOSTS = 150;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final NetworkNamespace client;
    private final int cpu;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] frames = new MemorySegment[BATCH];
    private final PacketSocket wire;
    private long next;

    /**
     * From this host, whose interface is eth0, through that node. Nobody answers: the server's {@link Generator#SERVER_PORT} is the caller's business.
     *
     * @param cpu that sends
     */
    public NewFlows(NetworkNamespace client, LabNode through, int cpu) {
        this.client = client;
        this.cpu = cpu;
        Frames.Ends ends = new Frames.Ends(client.macOf("eth0"), through.host().macOf("left"), Addresses.of(Addresses.CLIENT),
                FIRST_PORT, Addresses.of(Addresses.SERVER), Generator.SERVER_PORT);
        byte[] frame = Frames.udp(ends, new byte[FRAME - HEADERS]);
        Arrays.fill(frame, UDP_CHECKSUM, UDP_CHECKSUM + 2, (byte) 0);
        for (int i = 0; i < BATCH; i++) frames[i] = arena.allocateFrom(ValueLayout.JAVA_BYTE, frame);
        wire = client.call(() -> PacketSocket.sender("eth0"));
    }

    /**
     * Opens so many sessions a second for so long.
     *
     * @return datagrams sent, each of a new flow
     */
    public long run(long durationMs, int perSecond) {
        return client.call(() -> Pace.keep(cpu, durationMs, perSecond, BATCH, this::send));
    }

    private void send() {
        for (int i = 0; i < BATCH; i++) wire.setFrame(i, readdress(frames[i]), (int) frames[i].byteSize());
        wire.sendPrepared(BATCH);
    }

    private MemorySegment readdress(MemorySegment frame) {
        int address = SOURCE + 2;
        int before = Short.toUnsignedInt(frame.get(SHORT, address));
        int base = before & 0xFF00;
        int host = FIRST_HOST + (int) (next / FLOWS_OF_ADDRESS) % HOSTS;
        int after = base | host;
        int port = (int) (FIRST_PORT + next % FLOWS_OF_ADDRESS);
        replace(frame, IP_CHECKSUM, before, after);
        frame.set(SHORT, address, (short) after);
        frame.set(SHORT, SOURCE_PORT, (short) port);
        next++;
        return frame;
    }

    /** A checksum after one of its words has changed: RFC 1624. */
    private static void replace(MemorySegment frame, int checksum, int before, int after) {
        int sum = (~Short.toUnsignedInt(frame.get(SHORT, checksum)) & 0xFFFF) + (~before & 0xFFFF) + after;
        sum = (sum & 0xFFFF) + (sum >>> 16);
        sum = (sum & 0xFFFF) + (sum >>> 16);
        frame.set(SHORT, checksum, (short) ~sum);
    }

    @Override
    public void close() {
        wire.close();
        arena.close();
    }
}
