package io.ambo.node.sys;

import static io.ambo.node.sys.Native.INT;
import static io.ambo.node.sys.Native.LONG;
import static io.ambo.node.sys.Native.POINTER;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A compiled BPF object, loaded into the kernel: its programs and maps. Not for several threads at once. The kernel's copies live until {@link #close},
 * and as long as a link or a descriptor of another process holds them.
 */
public final class BpfObject implements AutoCloseable {
    private static final MethodHandle OPEN_MEM = Native.errnoFunction(Bpf.LIBBPF, "bpf_object__open_mem", POINTER, POINTER, LONG, POINTER);
    private static final MethodHandle LOAD = Native.function(Bpf.LIBBPF, "bpf_object__load", INT, POINTER);
    private static final MethodHandle CLOSE = Native.procedure(Bpf.LIBBPF, "bpf_object__close", POINTER);
    private static final MethodHandle FIND_MAP = Native.function(Bpf.LIBBPF, "bpf_object__find_map_by_name", POINTER, POINTER, POINTER);
    private static final MethodHandle FIND_PROGRAM = Native.function(Bpf.LIBBPF, "bpf_object__find_program_by_name", POINTER, POINTER,
            POINTER);
    private static final MethodHandle SET_MAX_ENTRIES = Native.function(Bpf.LIBBPF, "bpf_map__set_max_entries", INT, POINTER, INT);
    private static final MethodHandle REUSE = Native.function(Bpf.LIBBPF, "bpf_map__reuse_fd", INT, POINTER, INT);
    private static final MethodHandle MAP_FD = Native.function(Bpf.LIBBPF, "bpf_map__fd", INT, POINTER);
    private static final MethodHandle MAP_KEY_SIZE = Native.function(Bpf.LIBBPF, "bpf_map__key_size", INT, POINTER);
    private static final MethodHandle MAP_VALUE_SIZE = Native.function(Bpf.LIBBPF, "bpf_map__value_size", INT, POINTER);
    private static final MethodHandle MAP_MAX_ENTRIES = Native.function(Bpf.LIBBPF, "bpf_map__max_entries", INT, POINTER);
    private static final MethodHandle PROGRAM_FD = Native.function(Bpf.LIBBPF, "bpf_program__fd", INT, POINTER);
    private static final MethodHandle BTF = Native.function(Bpf.LIBBPF, "bpf_object__btf", POINTER, POINTER);
    private static final MethodHandle BTF_FIND = Native.function(Bpf.LIBBPF, "btf__find_by_name_kind", INT, POINTER, POINTER, INT);
    private static final MethodHandle BTF_TYPE = Native.function(Bpf.LIBBPF, "btf__type_by_id", POINTER, POINTER, INT);
    private static final MethodHandle BTF_NAME = Native.function(Bpf.LIBBPF, "btf__name_by_offset", POINTER, POINTER, INT);

    private static final int BTF_KIND_STRUCT = 4;
    /** struct btf_type: name_off, info (vlen in the low 16 bits), size; then struct btf_member: name_off, type, offset in bits. */
    private static final int BTF_TYPE_SIZE = 12, BTF_TYPE_INFO = 4, BTF_MEMBER_SIZE = 12, BTF_MEMBER_OFFSET = 8;
    private static final int BTF_VLEN_MASK = 0xFFFF;
    private static final long NAME_LIMIT = 256;
    private static final int EXPLANATION_LIMIT = 4000;

    private final MemorySegment object;
    private final String name;
    private boolean closed;

    private BpfObject(MemorySegment object, String name) {
        this.object = object;
        this.name = name;
    }

    /**
     * Loads an object file.
     *
     * @param elf  its bytes
     * @param name for messages
     * @param maxEntries of maps by name, where the source leaves that open
     * @param existing   descriptors of maps, by name, that the program shall use instead of new ones; they stay the caller's
     * @throws SysException with what libbpf and the kernel's verifier said
     */
    public static BpfObject load(byte[] elf, String name, Map<String, Integer> maxEntries, Map<String, Integer> existing) {
        Libc.raiseMemlockLimit();
        LibbpfLog.start();
        MemorySegment captured = Native.captured();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, elf);
            MemorySegment object = (MemorySegment) OPEN_MEM.invokeExact(captured, bytes, (long) elf.length, MemorySegment.NULL);
            if (object.address() == 0)
                throw failure("read a BPF object", Native.errno(captured), name, "it was compiled for another libbpf, or is damaged");
            prepare(object, SET_MAX_ENTRIES, maxEntries, name);
            prepare(object, REUSE, existing, name);
            int result = (int) LOAD.invokeExact(object);
            if (result < 0) {
                CLOSE.invokeExact(object);
                throw failure("load a BPF object into the kernel", -result, name, result == -Errno.EPERM
                        ? "Ambo needs to be root, or to have CAP_BPF and CAP_NET_ADMIN"
                        : "Ambo needs Linux 6.1 or later");
            }
            return new BpfObject(object, name);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        } finally {
            LibbpfLog.stop();
        }
    }

    private static void prepare(MemorySegment object, MethodHandle call, Map<String, Integer> maps, String name) throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            for (Map.Entry<String, Integer> map : maps.entrySet()) {
                MemorySegment found = (MemorySegment) FIND_MAP.invokeExact(object, arena.allocateFrom(map.getKey()));
                int result = found.address() == 0 ? -Errno.ENOENT : (int) call.invokeExact(found, (int) map.getValue());
                if (result >= 0) continue;
                CLOSE.invokeExact(object);
                throw failure("prepare a BPF map", -result, name + " " + map.getKey(), "");
            }
        }
    }

    /** Descriptor of a map; it belongs to this object. */
    public int map(String map) { return call(MAP_FD, find(FIND_MAP, map)); }

    /** Descriptor of a program; it belongs to this object. */
    public int program(String program) {
        return call(PROGRAM_FD, find(FIND_PROGRAM, program));
    }

    public int keySize(String map) { return call(MAP_KEY_SIZE, find(FIND_MAP, map)); }

    public int valueSize(String map) { return call(MAP_VALUE_SIZE, find(FIND_MAP, map)); }

    public int maxEntries(String map) { return call(MAP_MAX_ENTRIES, find(FIND_MAP, map)); }

    /**
     * A member of a C struct.
     *
     * @param offset bytes from the start of the struct
     */
    public record Member(String name, int offset) {}

    /** Members of a struct of the C source, in order, as the compiler laid them out. */
    public List<Member> members(String struct) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment btf = (MemorySegment) BTF.invokeExact(object);
            int id = (int) BTF_FIND.invokeExact(btf, arena.allocateFrom(struct), BTF_KIND_STRUCT);
            if (id < 0)
                throw new SysException("find a struct", -id, name + " " + struct,
                        "the object was compiled without -g, or is of another version");
            MemorySegment type = ((MemorySegment) BTF_TYPE.invokeExact(btf, id)).reinterpret(BTF_TYPE_SIZE);
            int count = type.get(INT, BTF_TYPE_INFO) & BTF_VLEN_MASK;
            MemorySegment all = type.reinterpret(BTF_TYPE_SIZE + (long) count * BTF_MEMBER_SIZE);
            List<Member> members = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                long member = BTF_TYPE_SIZE + (long) i * BTF_MEMBER_SIZE;
                MemorySegment memberName = (MemorySegment) BTF_NAME.invokeExact(btf, all.get(INT, member));
                members.add(
                        new Member(memberName.reinterpret(NAME_LIMIT).getString(0), all.get(INT, member + BTF_MEMBER_OFFSET) / Byte.SIZE));
            }
            return members;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    @Override
    public void close() {
        if (closed) return;
        closed = true;
        try {
            CLOSE.invokeExact(object);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    private MemorySegment find(MethodHandle finder, String wanted) {
        if (closed) throw new IllegalStateException(name + " is closed");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment found = (MemorySegment) finder.invokeExact(object, arena.allocateFrom(wanted));
            if (found.address() == 0)
                throw new SysException("find a map or program", Errno.ENOENT, name + " " + wanted, "the object is of another version");
            return found;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    private static int call(MethodHandle getter, MemorySegment of) {
        try {
            return (int) getter.invokeExact(of);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    private static SysException failure(String operation, int errno, String where, String remedy) {
        String said = LibbpfLog.text();
        if (said.length() > EXPLANATION_LIMIT) said = "... " + said.substring(said.length() - EXPLANATION_LIMIT);
        return new SysException(operation, errno, where, said.isEmpty() ? remedy : remedy + "; libbpf said:\n" + said);
    }

    /** What libbpf prints, kept per thread instead of written to stderr. */
    private static final class LibbpfLog {
        private static final int DEBUG = 2;
        private static final int MESSAGE_LIMIT = 256 * 1024, TEXT_LIMIT = 1024 * 1024;
        private static final MethodHandle VSNPRINTF = Native.function("vsnprintf", INT, POINTER, LONG, POINTER, POINTER);
        private static final MethodHandle SET_PRINT = Native.function(Bpf.LIBBPF, "libbpf_set_print", POINTER, POINTER);
        private static final ThreadLocal<StringBuilder> TEXT = new ThreadLocal<>();

        static {
            try {
                // A va_list is an array or a large struct on the machines that Ambo runs on: both arrive as a pointer.
                MethodHandle print = MethodHandles.lookup().findStatic(LibbpfLog.class, "print",
                        MethodType.methodType(int.class, int.class, MemorySegment.class, MemorySegment.class));
                MemorySegment before = (MemorySegment) SET_PRINT.invokeExact(Native.callback(print, INT, INT, POINTER, POINTER));
                assert before != null;
            } catch (Throwable thrown) {
                throw Native.unexpected(thrown);
            }
        }

        static void start() { TEXT.set(new StringBuilder()); }

        static void stop() { TEXT.remove(); }

        static String text() {
            StringBuilder text = TEXT.get();
            return text == null ? "" : text.toString().strip();
        }

        /** Called by libbpf. */
        @SuppressWarnings("UnusedMethod")
        private static int print(int level, MemorySegment format, MemorySegment arguments) {
            StringBuilder text = TEXT.get();
            if (level >= DEBUG || text == null || text.length() > TEXT_LIMIT) return 0;
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment message = arena.allocate(MESSAGE_LIMIT);
                int length = (int) VSNPRINTF.invokeExact(message, (long) MESSAGE_LIMIT, format, arguments);
                if (length > 0) text.append(message.getString(0));
                return length;
            } catch (Throwable thrown) {
                return 0; // An exception must not leave a callback; the message is lost, the error code of the call is not.
            }
        }
    }
}
