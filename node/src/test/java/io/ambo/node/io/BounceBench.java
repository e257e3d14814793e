package io.ambo.node.io;

import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.sys.NetworkDevice;
import io.ambo.node.sys.NetworkNamespace;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.HexFormat;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * Frames per second that one Java thread receives and sends back through AF_XDP on a veth, with a second thread at the other end that sends as fast as it
 * can and counts what returns. Both ends are in copy mode and each needs a core; on a machine that is busy otherwise, only the processor time per frame
 * says something. Arguments: seconds (10).
 */
final class BounceBench {
    private static final int RING = 2048, FRAME_LENGTH = 60;
    private static final long NEAR_MAC = 0x02_00_00_00_00_0AL, FAR_MAC = 0x02_00_00_00_00_0BL;
    private static final byte[] TO_NEAR = HexFormat.of()
            .parseHex("02000000000a02000000000b08004500002e000000004011000001020304c633640700010002001a0000");
    private static final byte[] TO_FAR = HexFormat.of()
            .parseHex("02000000000b02000000000a08004500002e000000004011000001020304c633640700010002001a0000");

    private static volatile boolean running = true;

    private BounceBench() {}

    public static void main(String[] arguments) throws Exception {
        int seconds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 10;
        try (NetworkNamespace namespace = NetworkNamespace.create()) {
            namespace.addVethPair("near", "02:00:00:00:00:0a", "far", "02:00:00:00:00:0b");
            ThreadMXBean threads = ManagementFactory.getThreadMXBean();
            long perSecond = namespace.call(() -> {
                try (XdpProgram program = XdpProgram.load(1024);
                        Umem nearMemory = Umem.create(Umem.framesFor(1, RING, 0));
                        Umem farMemory = Umem.create(Umem.framesFor(1, RING, 0));
                        XskSocket near = open(program, nearMemory, "near", 0, NEAR_MAC);
                        XskSocket far = open(program, farMemory, "far", 1, FAR_MAC)) {
                    program.setGate(true);
                    Thread bouncer = Thread.ofPlatform().name("bouncer").start(() -> bounce(near, nearMemory));
                    generate(far, farMemory, TimeUnit.SECONDS.toNanos(5)); // the JIT warms up
                    long cpuBefore = threads.getThreadCpuTime(bouncer.threadId());
                    long frames = generate(far, farMemory, TimeUnit.SECONDS.toNanos(seconds));
                    long cpuNs = threads.getThreadCpuTime(bouncer.threadId()) - cpuBefore;
                    System.out.printf(Locale.ROOT, "bounce: %,d ns of processor time a frame, that is %,d frames/s of a whole core%n",
                            cpuNs / Math.max(1, frames), frames * TimeUnit.SECONDS.toNanos(1) / Math.max(1, cpuNs));
                    running = false;
                    bouncer.join();
                    return frames / seconds;
                }
            });
            System.out.printf(Locale.ROOT, "bounce: %,d frames/s of %d bytes%n", perSecond, FRAME_LENGTH);
        }
    }

    private static XskSocket open(XdpProgram program, Umem memory, String name, int port, long mac) {
        int index = NetworkDevice.index(name);
        program.attach(index, port, mac, XdpProgram.ModeChoice.NATIVE_ONLY);
        XskSocket socket = XskSocket.open(memory, index, 0, RING, XskSocket.Copying.AUTO);
        program.registerSocket(port, 0, socket.fd());
        return socket;
    }

    private static void bounce(XskSocket socket, Umem memory) {
        FrameBatch batch = new FrameBatch(64);
        MemorySegment header = MemorySegment.ofArray(TO_FAR);
        try (Poller poller = Poller.open(1)) {
            poller.add(socket);
            while (running) {
                int work = socket.reclaimCompleted();
                socket.refill();
                work += socket.receive(batch);
                for (int i = 0; i < batch.size(); i++) {
                    MemorySegment.copy(header, 0, memory.segment(), batch.address(i), header.byteSize());
                    if (!socket.transmit(batch.address(i), batch.length(i))) memory.free(batch.address(i));
                }
                socket.flush();
                poller.idle(work, TimeUnit.MILLISECONDS.toNanos(10));
            }
        }
    }

    /** @return frames that came back */
    private static long generate(XskSocket socket, Umem memory, long durationNs) {
        FrameBatch batch = new FrameBatch(64);
        MemorySegment header = MemorySegment.ofArray(TO_NEAR);
        long returned = 0;
        for (long end = System.nanoTime() + durationNs; System.nanoTime() < end;) {
            socket.reclaimCompleted();
            socket.refill();
            returned += socket.receive(batch);
            for (int i = 0; i < batch.size(); i++) memory.free(batch.address(i));
            for (int i = 0; i < 64; i++) {
                long address = memory.allocate();
                if (address == Umem.NO_FRAME) break;
                MemorySegment.copy(header, 0, memory.segment(), address, header.byteSize());
                if (socket.transmit(address, FRAME_LENGTH)) continue;
                memory.free(address);
                break;
            }
            socket.flush();
        }
        return returned;
    }
}
