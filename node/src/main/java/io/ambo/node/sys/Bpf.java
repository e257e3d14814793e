package io.ambo.node.sys;

import static io.ambo.node.sys.Native.INT;
import static io.ambo.node.sys.Native.LONG;
import static io.ambo.node.sys.Native.POINTER;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The bpf system call, by libbpf. Calls on maps answer 0 or a negative errno and allocate nothing, so that a busy thread can use them; the others throw
 * {@link SysException}. Keys and values are memory that the caller owns. See {@link BpfObject} for how a program gets into the kernel.
 */
public final class Bpf {
    /** Flags of an update: whatever is there, only if nothing is there, only if something is there. */
    public static final long ANY = 0, NO_EXIST = 1, EXIST = 2;
    public static final int XDP_ABORTED = 0, XDP_DROP = 1, XDP_PASS = 2, XDP_TX = 3, XDP_REDIRECT = 4;
    public static final int XDP_FLAGS_GENERIC = 2, XDP_FLAGS_NATIVE = 4;

    static final SymbolLookup LIBBPF = Native.library("apt-get install libbpf1", "libbpf.so.1");

    private static final int ATTACH_XDP = 37;
    /** struct bpf_link_create_opts: sz, flags, ... */
    private static final int LINK_OPTS_SIZE = 64, LINK_OPTS_FLAGS = 8;
    /** struct bpf_test_run_opts. */
    private static final int RUN_DATA_IN = 8, RUN_DATA_OUT = 16, RUN_SIZE_IN = 24, RUN_SIZE_OUT = 28, RUN_CONTEXT_IN = 32,
            RUN_CONTEXT_SIZE_IN = 48, RUN_RESULT = 56, RUN_REPEAT = 60,
            RUN_DURATION = 64, RUN_OPTS_SIZE = 80;
    /** struct bpf_link_info: type, id, prog_id, then xdp.ifindex. */
    private static final int LINK_INFO_SIZE = 64, LINK_INFO_INTERFACE = 16;
    /** A program may make a frame this much longer in a test run. */
    private static final int RUN_GROWTH = 256;

    private static final MethodHandle UPDATE = Native.function(LIBBPF, "bpf_map_update_elem", INT, INT, POINTER, POINTER, LONG);
    private static final MethodHandle LOOKUP = Native.function(LIBBPF, "bpf_map_lookup_elem", INT, INT, POINTER, POINTER);
    private static final MethodHandle DELETE = Native.function(LIBBPF, "bpf_map_delete_elem", INT, INT, POINTER);
    private static final MethodHandle TAKE = Native.function(LIBBPF, "bpf_map_lookup_and_delete_elem", INT, INT, POINTER, POINTER);
    private static final MethodHandle NEXT_KEY = Native.function(LIBBPF, "bpf_map_get_next_key", INT, INT, POINTER, POINTER);
    private static final MethodHandle UPDATE_BATCH = Native.function(LIBBPF, "bpf_map_update_batch", INT, INT, POINTER, POINTER, POINTER,
            POINTER);
    private static final MethodHandle DELETE_BATCH = Native.function(LIBBPF, "bpf_map_delete_batch", INT, INT, POINTER, POINTER, POINTER);
    private static final MethodHandle LOOKUP_BATCH = Native.function(LIBBPF, "bpf_map_lookup_batch", INT, INT, POINTER, POINTER, POINTER,
            POINTER, POINTER, POINTER);
    private static final MethodHandle LINK_CREATE = Native.function(LIBBPF, "bpf_link_create", INT, INT, INT, INT, POINTER);
    private static final MethodHandle LINK_UPDATE = Native.function(LIBBPF, "bpf_link_update", INT, INT, INT, POINTER);
    private static final MethodHandle INFO = Native.function(LIBBPF, "bpf_obj_get_info_by_fd", INT, INT, POINTER, POINTER);
    private static final MethodHandle PIN = Native.function(LIBBPF, "bpf_obj_pin", INT, INT, POINTER);
    private static final MethodHandle GET = Native.function(LIBBPF, "bpf_obj_get", INT, POINTER);
    private static final MethodHandle TEST_RUN = Native.function(LIBBPF, "bpf_prog_test_run_opts", INT, INT, POINTER);
    private static final MethodHandle POSSIBLE_CPUS = Native.function(LIBBPF, "libbpf_num_possible_cpus", INT);

    private Bpf() {}

    /** @return 0, or the negative errno (E2BIG: the map is full) */
    public static int update(int map, MemorySegment key, MemorySegment value, long flags) {
        try {
            return (int) UPDATE.invokeExact(map, key, value, flags);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Copies a value out. A per-CPU map gives one value for each of {@link #possibleCpus}, each rounded up to 8 bytes. @return 0, or the negative errno */
    public static int lookup(int map, MemorySegment key, MemorySegment value) {
        try {
            return (int) LOOKUP.invokeExact(map, key, value);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return 0, or the negative errno (ENOENT: no such key) */
    public static int delete(int map, MemorySegment key) {
        try {
            return (int) DELETE.invokeExact(map, key);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Copies a value out and deletes the entry, as one act. @return 0, or the negative errno (ENOENT: no such key) */
    public static int take(int map, MemorySegment key, MemorySegment value) {
        try {
            return (int) TAKE.invokeExact(map, key, value);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** The key after this one; after {@link MemorySegment#NULL} the first. @return 0, or the negative errno (ENOENT: there is none) */
    public static int nextKey(int map, MemorySegment key, MemorySegment next) {
        try {
            return (int) NEXT_KEY.invokeExact(map, key, next);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * Writes many entries with one system call.
     *
     * @param count an int: how many in, how many were written out
     * @return 0, or the negative errno
     */
    public static int updateBatch(int map, MemorySegment keys, MemorySegment values, MemorySegment count) {
        try {
            return (int) UPDATE_BATCH.invokeExact(map, keys, values, count, MemorySegment.NULL);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * Deletes many entries with one system call.
     *
     * @param count an int: how many in, how many were deleted out
     * @return 0, or the negative errno
     */
    public static int deleteBatch(int map, MemorySegment keys, MemorySegment count) {
        try {
            return (int) DELETE_BATCH.invokeExact(map, keys, count, MemorySegment.NULL);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * Reads many entries with one system call, in the map's own order.
     *
     * @param from  where the call before left off ({@code to} of that), or {@link MemorySegment#NULL} for the start
     * @param to    as many bytes as a key, 4 at least
     * @param count an int: room in keys and values in, entries read out
     * @return 0, or the negative errno (ENOENT: these were the last; ENOSPC: one bucket has more entries than there is room)
     */
    public static int lookupBatch(int map, MemorySegment from, MemorySegment to, MemorySegment keys, MemorySegment values,
            MemorySegment count) {
        try {
            return (int) LOOKUP_BATCH.invokeExact(map, from, to, keys, values, count, MemorySegment.NULL);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * Attaches an XDP program to an interface for as long as the descriptor is open.
     *
     * @param flags {@link #XDP_FLAGS_NATIVE} or {@link #XDP_FLAGS_GENERIC}
     * @return descriptor of the link, or the negative errno
     */
    public static int attachXdp(int program, int interfaceIndex, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment opts = arena.allocate(LINK_OPTS_SIZE, 8);
            opts.set(LONG, 0, LINK_OPTS_SIZE);
            opts.set(INT, LINK_OPTS_FLAGS, flags);
            return (int) LINK_CREATE.invokeExact(program, interfaceIndex, ATTACH_XDP, opts);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Puts another program behind a link, between two frames. @return 0, or the negative errno */
    public static int updateLink(int link, int program) {
        try {
            return (int) LINK_UPDATE.invokeExact(link, program, MemorySegment.NULL);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return index of the interface that an XDP link is on (0: it is gone), or the negative errno */
    public static int linkInterface(int link) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(LINK_INFO_SIZE, 8);
            int result = (int) INFO.invokeExact(link, info, arena.allocateFrom(INT, LINK_INFO_SIZE));
            return result < 0 ? result : info.get(INT, LINK_INFO_INTERFACE);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Gives a map, program or link a name in a bpffs: it lives as long as that, too. @return 0, or the negative errno */
    public static int pin(int fd, String path) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) PIN.invokeExact(fd, arena.allocateFrom(path));
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return a descriptor of what is pinned there, or the negative errno */
    public static int open(String path) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) GET.invokeExact(arena.allocateFrom(path));
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * What a program made of a frame.
     *
     * @param result     what it returned, for example {@link #XDP_PASS}
     * @param frame      the frame after it
     * @param durationNs of one run, on average
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record TestRun(int result, byte[] frame, int durationNs) {}

    /** Runs an XDP program on a frame of 14 bytes or more, as if it had come in on the loopback interface of the calling thread's namespace. */
    public static TestRun testRun(int program, byte[] frame, int repeat) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(frame.length + RUN_GROWTH);
            MemorySegment opts = arena.allocate(RUN_OPTS_SIZE, 8);
            opts.set(LONG, 0, RUN_OPTS_SIZE);
            opts.set(ValueLayout.ADDRESS, RUN_DATA_IN, arena.allocateFrom(ValueLayout.JAVA_BYTE, frame));
            opts.set(ValueLayout.ADDRESS, RUN_DATA_OUT, out);
            opts.set(INT, RUN_SIZE_IN, frame.length);
            opts.set(INT, RUN_SIZE_OUT, (int) out.byteSize());
            opts.set(INT, RUN_REPEAT, repeat);
            int result = (int) TEST_RUN.invokeExact(program, opts);
            if (result < 0) throw new SysException("run an XDP program on a frame", -result, "bytes=" + frame.length, "");
            byte[] after = out.asSlice(0, opts.get(INT, RUN_SIZE_OUT)).toArray(ValueLayout.JAVA_BYTE);
            return new TestRun(opts.get(INT, RUN_RESULT), after, opts.get(INT, RUN_DURATION));
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** A program of type "syscall" and what it is called with; for one thread. */
    public static final class Call {
        private final int program;
        private final MemorySegment argument;
        private final MemorySegment opts = Arena.ofAuto().allocate(RUN_OPTS_SIZE, 8);

        /** @param argument read by the program with each call */
        public Call(int program, MemorySegment argument) {
            this.program = program;
            this.argument = argument;
            opts.set(LONG, 0, RUN_OPTS_SIZE);
            opts.set(ValueLayout.ADDRESS, RUN_CONTEXT_IN, argument);
            opts.set(INT, RUN_CONTEXT_SIZE_IN, (int) argument.byteSize());
        }

        public MemorySegment argument() { return argument; }

        /** Allocates nothing. @return what the program returned, or the negative errno */
        public int run() {
            try {
                int result = (int) TEST_RUN.invokeExact(program, opts);
                return result < 0 ? result : opts.get(INT, RUN_RESULT);
            } catch (Throwable thrown) {
                throw Native.unexpected(thrown);
            }
        }
    }

    /** CPUs that this machine can ever have: values in each entry of a per-CPU map. */
    public static int possibleCpus() {
        try {
            int cpus = (int) POSSIBLE_CPUS.invokeExact();
            if (cpus < 1) throw new SysException("count the CPUs", -cpus, "/sys/devices/system/cpu/possible", "mount sysfs on /sys");
            return cpus;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }
}
