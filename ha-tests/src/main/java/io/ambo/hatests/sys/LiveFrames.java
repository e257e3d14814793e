package io.ambo.hatests.sys;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** Runs an XDP program on frames that exist: what it redirects goes out (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, kernel 5.18). */
public final class LiveFrames {
    private static final MethodHandle RUN = Linker.nativeLinker().downcallHandle(
            SymbolLookup.libraryLookup("libbpf.so.1", Arena.global()).findOrThrow("bpf_prog_test_run_opts"),
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
    /** struct bpf_test_run_opts. */
    private static final int OPTS_SIZE = 80, DATA = 8, DATA_SIZE = 24, CONTEXT = 32, CONTEXT_SIZE = 48, REPEAT = 60, DURATION = 64,
            FLAGS = 68,
            BATCH = 76;
    /** struct xdp_md. */
    private static final int MD_SIZE = 24, MD_END = 4, MD_INTERFACE = 12;
    private static final int LIVE_FRAMES = 2, EINTR = 4;

    private LiveFrames() {}

    /**
     * In the calling thread's namespace and on its processor. A signal may end it early.
     *
     * @param interfaceIndex of which the frames seem to come
     * @param repeat         frames
     * @param batch          frames that go out together; receivers on this processor take them then
     * @return nanoseconds of one frame on average, without the preparations of the call
     */
    public static int run(int program, byte[] frame, int interfaceIndex, int repeat, int batch) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment context = arena.allocate(MD_SIZE, 8);
            context.set(JAVA_INT, MD_END, frame.length);
            context.set(JAVA_INT, MD_INTERFACE, interfaceIndex);
            MemorySegment opts = arena.allocate(OPTS_SIZE, 8);
            opts.set(JAVA_LONG, 0, OPTS_SIZE);
            opts.set(ADDRESS, DATA, arena.allocateFrom(JAVA_BYTE, frame));
            opts.set(JAVA_INT, DATA_SIZE, frame.length);
            opts.set(ADDRESS, CONTEXT, context);
            opts.set(JAVA_INT, CONTEXT_SIZE, MD_SIZE);
            opts.set(JAVA_INT, REPEAT, repeat);
            opts.set(JAVA_INT, FLAGS, LIVE_FRAMES);
            opts.set(JAVA_INT, BATCH, batch);
            int result = (int) RUN.invokeExact(program, opts);
            if (result < 0 && result != -EINTR) throw new SystemCallException("bpf(BPF_PROG_TEST_RUN)", "frames=" + repeat, -result);
            return opts.get(JAVA_INT, DURATION);
        } catch (RuntimeException | Error unchecked) {
            throw unchecked;
        } catch (Throwable impossible) {
            throw new AssertionError("a C function throws nothing", impossible);
        }
    }
}
