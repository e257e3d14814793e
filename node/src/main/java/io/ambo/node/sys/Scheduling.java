package io.ambo.node.sys;

import java.lang.invoke.MethodHandle;

/** The share of the processor that threads get. */
public final class Scheduling {
    private static final MethodHandle SET_PRIORITY = Native.errnoFunction("setpriority", Native.INT, Native.INT, Native.INT, Native.INT);
    private static final int PRIO_PROCESS = 0;

    private Scheduling() {}

    /**
     * Sets the nice value of the calling thread; threads that it starts from now on inherit it (setpriority(2): on Linux it is an attribute of a thread).
     *
     * @param nice -20, the most of the processor, to 19
     * @return 0, or the errno: raising the share needs CAP_SYS_NICE
     */
    public static int setNice(int nice) {
        try {
            var captured = Native.captured();
            int result = (int) SET_PRIORITY.invokeExact(captured, PRIO_PROCESS, 0, nice);
            return result == 0 ? 0 : Native.errno(captured);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }
}
