package io.ambo.node.sys;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** The share of the processor that threads get. */
public final class Scheduling {
    private static final MethodHandle SET_PRIORITY = Native.errnoFunction("setpriority", Native.INT, Native.INT, Native.INT, Native.INT);
    private static final MethodHandle SET_AFFINITY = Native.errnoFunction("sched_setaffinity", Native.INT, Native.INT, Native.LONG,
            Native.POINTER);
    private static final int PRIO_PROCESS = 0;
    private static final int CPUS_OF_MASK = 1024;

    private Scheduling() {}

    /**
     * Sets the nice value of every thread that this process has now (threads that those start later inherit it; on Linux it is an attribute of a thread,
     * setpriority(2)). The collector, and the thread that stops all others for a moment, must not wait for a processor while packets wait for them.
     *
     * @param nice          -20, the most of the processor, to 19
     * @param compilersNice of the JVM's compilers
     * @return 0, or the largest errno: raising the share needs CAP_SYS_NICE
     */
    public static int setNice(int nice, int compilersNice) {
        int worst = 0;
        String[] threads = Objects.requireNonNullElse(new File("/proc/self/task").list(), new String[0]);
        for (String thread : threads) {
            int errno = setNiceOf(Integer.parseInt(thread), name(thread).contains("Compiler") ? compilersNice : nice);
            if (errno != Errno.ESRCH) worst = Math.max(worst, errno);
        }
        return worst;
    }

    private static String name(String thread) {
        try {
            return Files.readString(Path.of("/proc/self/task", thread, "comm"));
        } catch (IOException gone) {
            return "";
        }
    }

    /** The same for the calling thread alone. Lowering its share needs nothing; raising it again needs CAP_SYS_NICE, and is not done here. */
    public static int setNiceOfThisThread(int nice) {
        return setNiceOf(0, nice);
    }

    /**
     * From now on the calling thread runs on this processor alone, sched_setaffinity(2). Threads that it starts inherit that.
     *
     * @return 0, or the errno: EINVAL when the process may not run there
     */
    public static int pinThisThread(int cpu) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(CPUS_OF_MASK / 8, 8);
            mask.set(ValueLayout.JAVA_LONG, cpu / 64 * 8L, 1L << cpu % 64);
            var captured = Native.captured();
            int result = (int) SET_AFFINITY.invokeExact(captured, 0, mask.byteSize(), mask);
            return result == 0 ? 0 : Native.errno(captured);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    private static int setNiceOf(int thread, int nice) {
        try {
            var captured = Native.captured();
            int result = (int) SET_PRIORITY.invokeExact(captured, PRIO_PROCESS, thread, nice);
            return result == 0 ? 0 : Native.errno(captured);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }
}
