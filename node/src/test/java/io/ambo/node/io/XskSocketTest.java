package io.ambo.node.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.management.ThreadMXBean;
import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.sys.NetworkDevice;
import io.ambo.node.sys.NetworkNamespace;
import io.ambo.node.sys.RawSocket;
import io.ambo.node.sys.SysException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Frames through real veth pairs, the XDP program and the rings. */
@SuppressWarnings("NullAway.Init")
class XskSocketTest {
    private static final int RING = 256, MESSAGE_AT = 42;
    private static final int BLOCKS_UNTIL_COMPILED = 50_000;
    private static final long LEFT_MAC = 0x02_00_00_00_00_0AL, RIGHT_MAC = 0x02_00_00_00_00_0CL;

    private NetworkNamespace namespace;
    private XdpProgram program;
    private Umem umem;
    private XskSocket left;
    private XskSocket right;
    private final FrameBatch batch = new FrameBatch(64);

    /** left-host ==== left [ sockets ] right ==== right-host */
    @BeforeEach
    void attach() throws Exception {
        namespace = NetworkNamespace.create();
        namespace.addVethPair("left", "02:00:00:00:00:0a", "left-host", "02:00:00:00:00:0b");
        namespace.addVethPair("right", "02:00:00:00:00:0c", "right-host", "02:00:00:00:00:0d");
        namespace.call(() -> {
            program = XdpProgram.load(1024);
            umem = Umem.create(Umem.framesFor(2, RING, 64));
            left = open("left", 0, LEFT_MAC);
            right = open("right", 1, RIGHT_MAC);
            program.setGate(true);
            return null;
        });
    }

    @AfterEach
    void detach() {
        if (program != null) program.close();
        if (left != null) left.close();
        if (right != null) right.close();
        if (umem != null) {
            assertThat(umem.freeCount()).as("frames that came back").isEqualTo(umem.frameCount());
            umem.close();
        }
        if (namespace != null) namespace.close();
    }

    private XskSocket open(String name, int port, long mac) {
        int index = NetworkDevice.index(name);
        assertThat(NetworkDevice.mac(name)).isEqualTo(mac);
        assertThat(program.attach(index, port, mac, XdpProgram.ModeChoice.NATIVE_OR_GENERIC)).isEqualTo(XdpProgram.Mode.NATIVE);
        XskSocket socket = XskSocket.open(umem, index, 0, RING, XskSocket.Copying.AUTO);
        program.registerSocket(port, 0, socket.fd());
        return socket;
    }

    @Test
    void aFrameComesInAsItWasSentAndGoesBackChanged() throws Exception {
        namespace.call(() -> {
            try (RawSocket host = new RawSocket("left-host")) {
                byte[] sent = frame(LEFT_MAC, 1000, 7);
                host.send(sent);
                await().until(() -> left.receive(batch) == 1);
                long address = batch.address(0);
                assertThat(umem.segment().asSlice(address, batch.length(0)).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(sent);
                assertThat(Umem.headroom(address)).isEqualTo(Umem.HEADROOM);

                umem.segment().set(ValueLayout.JAVA_INT_UNALIGNED, address + MESSAGE_AT, 8);
                assertThat(left.transmit(address, batch.length(0))).isTrue();
                assertThat(left.transmitting()).isEqualTo(1);
                assertThat(left.flush()).isEqualTo(1);
                assertThat(receive(host, sent.length)).isEqualTo(frame(LEFT_MAC, 1000, 8));
                await().until(() -> left.reclaimCompleted() == 1);
                assertThat(left.transmitting()).isZero();
            }
            return null;
        });
    }

    @Test
    void itReceivesInGenericModeToo() throws Exception {
        namespace.call(() -> {
            program.detach(0);
            assertThat(program.attach(left.interfaceIndex(), 0, LEFT_MAC, XdpProgram.ModeChoice.GENERIC_ONLY))
                    .isEqualTo(XdpProgram.Mode.GENERIC);
            program.registerSocket(0, 0, left.fd());
            try (RawSocket host = new RawSocket("left-host")) {
                byte[] sent = frame(LEFT_MAC, 1000, 7);
                host.send(sent);
                await().until(() -> left.receive(batch) == 1);
                assertThat(umem.segment().asSlice(batch.address(0), batch.length(0)).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(sent);
                assertThat(left.transmit(batch.address(0), batch.length(0))).isTrue();
                left.flush();
                assertThat(receive(host, sent.length)).isEqualTo(sent);
            }
            return null;
        });
    }

    @Test
    void aFrameCanGrowIntoItsHeadroom() throws Exception {
        namespace.call(() -> {
            try (RawSocket host = new RawSocket("right-host")) {
                long address = umem.allocate();
                byte[] whole = frame(0x02_00_00_00_00_0DL, 300, 9);
                long start = address - 100;
                umem.segment().asSlice(start, 300).copyFrom(MemorySegment.ofArray(whole));
                assertThat(right.transmit(start, 300)).isTrue();
                right.flush();
                assertThat(receive(host, 300)).isEqualTo(whole);
            }
            return null;
        });
    }

    @Test
    void aVlanTagStaysInTheFrame() throws Exception {
        namespace.call(() -> {
            try (RawSocket host = new RawSocket("left-host")) {
                byte[] untagged = frame(LEFT_MAC, 100, 1);
                byte[] tagged = new byte[104];
                System.arraycopy(untagged, 0, tagged, 0, 12);
                System.arraycopy(HexFormat.of().parseHex("81000007"), 0, tagged, 12, 4);
                System.arraycopy(untagged, 12, tagged, 16, 88);
                host.send(tagged);
                await().until(() -> left.receive(batch) == 1);
                assertThat(umem.segment().asSlice(batch.address(0), batch.length(0)).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(tagged);
                umem.free(batch.address(0));
            }
            return null;
        });
    }

    @Test
    void theLongestAndTheShortestFrameArrive() throws Exception {
        namespace.ip("link", "set", "left-host", "mtu", "3400");
        namespace.ip("link", "set", "left", "mtu", "3400");
        namespace.call(() -> {
            try (RawSocket host = new RawSocket("left-host")) {
                for (int length : new int[]{ 60, 3400 }) {
                    host.send(frame(LEFT_MAC, length, length));
                    await().until(() -> left.receive(batch) == 1);
                    assertThat(batch.length(0)).isEqualTo(length);
                    umem.free(batch.address(0));
                    left.refill();
                }
            }
            return null;
        });
    }

    @Test
    void twoSocketsForwardToEachOtherWithoutACopyAndKeepTheOrder() throws Exception {
        int count = 20_000;
        int received = namespace.call(() -> {
            int arrived = 0;
            try (RawSocket leftHost = new RawSocket("left-host"); RawSocket rightHost = new RawSocket("right-host")) {
                for (int sent = 0; sent < count;) {
                    for (int i = 0; i < 32; i++) leftHost.send(frame(LEFT_MAC, 100, sent++));
                    while (arrived < sent) {
                        forward(left, right);
                        byte[] frame = rightHost.receive(0).orElse(null);
                        if (frame == null) continue;
                        assertThat(message(frame)).isEqualTo(arrived++);
                    }
                }
                return arrived;
            }
        });
        assertThat(received).isEqualTo(count);
    }

    @Test
    void aFullTransmitRingIsSaidAndTheFrameStaysWithTheCaller() throws Exception {
        namespace.call(() -> {
            for (int i = 0; i < RING; i++) assertThat(left.transmit(umem.allocate(), 60)).isTrue();
            long refused = umem.allocate();
            assertThat(left.transmit(refused, 60)).isFalse();
            umem.free(refused);
            left.flush();
            await().until(() -> left.reclaimCompleted() > 0);
            return null;
        });
    }

    @Test
    void framesBeyondTheRingsAreLostAndCounted() throws Exception {
        namespace.call(() -> {
            try (RawSocket host = new RawSocket("left-host")) {
                for (int i = 0; i < 3 * RING; i++) host.send(frame(LEFT_MAC, 60, i));
                XskSocket.Statistics statistics = new XskSocket.Statistics();
                await().until(() -> {
                    left.readStatistics(statistics);
                    return statistics.receiveRingFull + statistics.receiveDropped == 2 * RING;
                });
                assertThat(statistics.fillRingEmpty).isPositive();
                int received = 0;
                for (int burst; (burst = left.receive(batch)) > 0; received += burst) {
                    for (int i = 0; i < burst; i++) umem.free(batch.address(i));
                }
                assertThat(received).isEqualTo(RING);
            }
            return null;
        });
    }

    @Test
    void forwardingAllocatesNothing() throws Exception {
        int warmUp = 200_000, measured = 100_000;
        long bytes = namespace.call(() -> {
            try (RawSocket leftHost = new RawSocket("left-host");
                    RawSocket rightHost = new RawSocket("right-host");
                    Poller poller = Poller.open(2)) {
                poller.add(left);
                poller.add(right);
                forwardCounted(leftHost, poller, warmUp);
                // A worker seldom blocks under load; interpreted, the first blocks of the measured part would be what allocates.
                for (int i = 0; i < BLOCKS_UNTIL_COMPILED; i++) poller.block(0);
                return forwardCounted(leftHost, poller, measured);
            }
        });
        assertThat(bytes).as("bytes allocated by this thread over %d frames", measured).isZero();
    }

    /** @return bytes that receiving, polling and sending allocated; what the sending host allocates is not in it */
    private long forwardCounted(RawSocket host, Poller poller, int count) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().threadId();
        byte[] frame = frame(LEFT_MAC, 100, 0);
        long bytes = 0;
        for (int forwarded = 0; forwarded < count;) {
            for (int i = 0; i < 32; i++) host.send(frame);
            long before = threads.getThreadAllocatedBytes(thread);
            for (int inBurst = 0; inBurst < 32;) {
                int work = forward(left, right);
                poller.idle(work, TimeUnit.MILLISECONDS.toNanos(1));
                inBurst += work;
                forwarded += work;
            }
            bytes += threads.getThreadAllocatedBytes(thread) - before;
        }
        return bytes;
    }

    @Test
    void thePollerSleepsUntilAFrameComes() throws Exception {
        namespace.call(() -> {
            try (RawSocket host = new RawSocket("right-host"); Poller poller = Poller.open(2)) {
                poller.add(left);
                poller.add(right);
                assertThat(poller.block(TimeUnit.MILLISECONDS.toNanos(1))).isZero();
                host.send(frame(RIGHT_MAC, 60, 1));
                assertThat(poller.block(TimeUnit.SECONDS.toNanos(10))).isEqualTo(1);
                assertThat(right.receive(batch)).isEqualTo(1);
                umem.free(batch.address(0));
                assertThat(poller.block(0)).isZero();
                poller.remove(right);
                host.send(frame(RIGHT_MAC, 60, 1));
                assertThat(poller.block(TimeUnit.MILLISECONDS.toNanos(50))).isZero();
            }
            return null;
        });
    }

    @Test
    void aSocketWhoseDeviceIsRemovedFailsQuietly() throws Exception {
        namespace.call(() -> {
            try (Poller poller = Poller.open(2)) {
                poller.add(left);
                poller.add(right);
                namespace.ip("link", "del", "left");
                long start = System.nanoTime();
                assertThat(poller.block(TimeUnit.MILLISECONDS.toNanos(20))).isZero();
                assertThat(System.nanoTime() - start).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(15));
                assertThat(left.transmit(umem.allocate(), 60)).isTrue();
                left.flush();
                assertThat(left.isFailed()).isTrue();
                assertThat(left.receive(batch)).isZero();
                assertThat(right.transmit(umem.allocate(), 60)).isTrue();
                right.flush();
                assertThat(right.isFailed()).isFalse();
            }
            return null;
        });
    }

    @Test
    void aSocketCanBeOpenedAgainAfterItWasClosed() throws Exception {
        namespace.call(() -> {
            left.close();
            int index = NetworkDevice.index("left");
            left = await().ignoreException(SysException.class).until(() -> XskSocket.open(umem, index, 0, RING, XskSocket.Copying.AUTO),
                    socket -> true);
            program.registerSocket(0, 0, left.fd());
            try (RawSocket host = new RawSocket("left-host")) {
                host.send(frame(LEFT_MAC, 60, 1));
                await().until(() -> left.receive(batch) == 1);
                umem.free(batch.address(0));
            }
            return null;
        });
    }

    @Test
    void aQueueThatIsNotThereIsRefusedWithItsName() throws Exception {
        namespace.call(() -> {
            int free = umem.freeCount();
            assertThat(NetworkDevice.receiveQueues("left")).isEqualTo(1);
            assertThatThrownBy(() -> XskSocket.open(umem, NetworkDevice.index("left"), 1, RING, XskSocket.Copying.AUTO))
                    .isInstanceOf(SysException.class).hasMessageContaining("interface=left queue=1");
            assertThatThrownBy(() -> NetworkDevice.index("nowhere")).isInstanceOf(SysException.class).hasMessageContaining("nowhere");
            assertThat(umem.freeCount()).isEqualTo(free);
            return null;
        });
    }

    /** One turn of a worker that sends everything from one side to the other. */
    private int forward(XskSocket from, XskSocket to) {
        to.reclaimCompleted();
        from.refill();
        int count = from.receive(batch);
        for (int i = 0; i < count; i++) {
            if (!to.transmit(batch.address(i), batch.length(i))) umem.free(batch.address(i));
        }
        to.flush();
        return count;
    }

    private static byte[] receive(RawSocket host, int length) {
        while (true) {
            byte[] frame = host.receive(5000).orElseThrow(() -> new AssertionError("no frame of " + length + " bytes came within 5 s"));
            if (frame.length == length) return frame;
        }
    }

    private static int message(byte[] frame) { return MemorySegment.ofArray(frame).get(ValueLayout.JAVA_INT_UNALIGNED, MESSAGE_AT); }

    /** A UDP packet between two foreign hosts, with a number as its payload. */
    private static byte[] frame(long mac, int length, int message) {
        byte[] frame = Arrays.copyOf(HexFormat.of().parseHex(HexFormat.of().toHexDigits(mac, 12) + "02000000000e0800"
                + "4500002e000000004011000001020304c633640700010002001a0000"), length);
        MemorySegment.ofArray(frame).set(ValueLayout.JAVA_INT_UNALIGNED, MESSAGE_AT, message);
        return frame;
    }
}
