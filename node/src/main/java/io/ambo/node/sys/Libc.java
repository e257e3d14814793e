package io.ambo.node.sys;

import static io.ambo.node.sys.Native.INT;
import static io.ambo.node.sys.Native.LONG;
import static io.ambo.node.sys.Native.POINTER;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The system calls that Ambo makes. Two kinds: those of the packet path ({@link #send}, {@link #receive}, {@link #sendTo}, {@link #receiveFrom}, {@link #poll}, {@link #signal},
 * {@link #drain}) answer a negative errno and allocate nothing; all others throw {@link SysException}.
 */
public final class Libc {
    public static final int AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16, AF_PACKET = 17, AF_XDP = 44;
    public static final int SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;
    public static final int SOL_SOCKET = 1, SO_ERROR = 4, SO_SNDBUF = 7, SO_RCVBUF = 8, SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE = 33;
    public static final int PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, MAP_POPULATE = 0x8000;
    public static final int MSG_DONTWAIT = 0x40;
    public static final short POLLIN = 1, POLLERR = 8, POLLHUP = 0x10, POLLNVAL = 0x20;

    private static final int EFD_NONBLOCK = SOCK_NONBLOCK, EFD_CLOEXEC = SOCK_CLOEXEC;
    private static final int RLIMIT_MEMLOCK = 8;
    private static final long MAP_FAILED = -1;

    private static final MethodHandle SOCKET = Native.errnoFunction("socket", INT, INT, INT, INT);
    private static final MethodHandle BIND = Native.errnoFunction("bind", INT, INT, POINTER, INT);
    private static final MethodHandle CONNECT = Native.errnoFunction("connect", INT, INT, POINTER, INT);
    private static final MethodHandle CLOSE = Native.errnoFunction("close", INT, INT);
    private static final MethodHandle SETSOCKOPT = Native.errnoFunction("setsockopt", INT, INT, INT, INT, POINTER, INT);
    private static final MethodHandle GETSOCKOPT = Native.errnoFunction("getsockopt", INT, INT, INT, INT, POINTER, POINTER);
    private static final MethodHandle MMAP = Native.errnoFunction("mmap", LONG, LONG, LONG, INT, INT, INT, LONG);
    private static final MethodHandle MADVISE = Native.errnoFunction("madvise", INT, LONG, LONG, INT);
    private static final MethodHandle MUNMAP = Native.errnoFunction("munmap", INT, LONG, LONG);
    private static final MethodHandle SENDTO = Native.errnoFunction("sendto", LONG, INT, POINTER, LONG, INT, POINTER, INT);
    private static final MethodHandle RECVFROM = Native.errnoFunction("recvfrom", LONG, INT, POINTER, LONG, INT, POINTER, POINTER);
    private static final MethodHandle PPOLL = Native.errnoFunction("ppoll", INT, POINTER, LONG, POINTER, POINTER);
    private static final MethodHandle EVENTFD = Native.errnoFunction("eventfd", INT, INT, INT);
    private static final MethodHandle EVENTFD_READ = Native.errnoFunction("eventfd_read", INT, INT, POINTER);
    private static final MethodHandle EVENTFD_WRITE = Native.errnoFunction("eventfd_write", INT, INT, LONG);
    private static final MethodHandle IOCTL = Native.variadicErrnoFunction("ioctl", 2, INT, INT, LONG, POINTER);
    private static final MethodHandle IF_NAMETOINDEX = Native.errnoFunction("if_nametoindex", INT, POINTER);
    private static final MethodHandle IF_INDEXTONAME = Native.errnoFunction("if_indextoname", LONG, INT, POINTER);
    private static final MethodHandle SETRLIMIT = Native.errnoFunction("setrlimit", INT, INT, POINTER);

    private static final int MADV_HUGEPAGE = 14;

    private Libc() {}

    /** @return a file descriptor; it is closed on exec */
    public static int socket(int family, int type, int protocol) {
        MemorySegment captured = Native.captured();
        try {
            int fd = (int) SOCKET.invokeExact(captured, family, type | SOCK_CLOEXEC, protocol);
            if (fd < 0)
                throw failure("open a socket", captured, "family=" + family + " type=" + type + " protocol=" + protocol,
                        "Ambo needs to be root, or to have CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF");
            return fd;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return 0, or the negative errno */
    public static int bind(int fd, MemorySegment address) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) BIND.invokeExact(captured, fd, address, (int) address.byteSize());
            return result < 0 ? -Native.errno(captured) : 0;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return 0, or the negative errno */
    static int connect(int fd, MemorySegment address) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) CONNECT.invokeExact(captured, fd, address, (int) address.byteSize());
            return result < 0 ? -Native.errno(captured) : 0;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Closes a descriptor. Nothing can be done when that fails, so nothing is said. */
    @SuppressWarnings("ReturnValueIgnored")
    public static void close(int fd) {
        try {
            int ignored = (int) CLOSE.invokeExact(Native.captured(), fd);
            assert ignored == 0 : "close(" + fd + ") failed: it was closed twice";
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return 0, or the negative errno */
    public static int setsockopt(int fd, int level, int option, MemorySegment value) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) SETSOCKOPT.invokeExact(captured, fd, level, option, value, (int) value.byteSize());
            return result < 0 ? -Native.errno(captured) : 0;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return 0, or the negative errno */
    public static int setsockopt(int fd, int level, int option, int value) {
        try (Arena arena = Arena.ofConfined()) {
            return setsockopt(fd, level, option, arena.allocateFrom(INT, value));
        }
    }

    /** @return bytes that the kernel wrote into value, or the negative errno */
    public static int getsockopt(int fd, int level, int option, MemorySegment value) {
        MemorySegment captured = Native.captured();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment length = arena.allocateFrom(INT, (int) value.byteSize());
            int result = (int) GETSOCKOPT.invokeExact(captured, fd, level, option, value, length);
            return result < 0 ? -Native.errno(captured) : length.get(INT, 0);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * Maps a file descriptor, or with fd -1 fresh memory.
     *
     * @return memory of global scope; {@link #munmap} ends it, and it must not be touched after
     */
    public static MemorySegment mmap(long sizeBytes, int protection, int flags, int fd, long offset) {
        MemorySegment captured = Native.captured();
        try {
            long address = (long) MMAP.invokeExact(captured, 0L, sizeBytes, protection, flags, fd, offset);
            if (address == MAP_FAILED)
                throw failure("map memory", captured, "bytes=" + sizeBytes + " fd=" + fd + " offset=" + offset,
                        "give the process more memory, or configure fewer or smaller rings");
            return MemorySegment.ofAddress(address).reinterpret(sizeBytes);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Asks for large pages behind a mapping that has not been touched yet. A wish: a kernel that has none gives small ones. */
    public static void preferLargePages(MemorySegment memory) {
        try {
            int _ = (int) MADVISE.invokeExact(Native.captured(), memory.address(), memory.byteSize(), MADV_HUGEPAGE);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Unmaps what {@link #mmap} gave. */
    public static void munmap(MemorySegment memory) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) MUNMAP.invokeExact(captured, memory.address(), memory.byteSize());
            if (result < 0) throw failure("unmap memory", captured, "bytes=" + memory.byteSize(), "");
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** sendto without an address. @return bytes sent, or the negative errno */
    public static long send(int fd, MemorySegment data, long length, int flags) {
        MemorySegment captured = Native.captured();
        try {
            long result = (long) SENDTO.invokeExact(captured, fd, data, length, flags, MemorySegment.NULL, 0);
            return result < 0 ? -Native.errno(captured) : result;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** recvfrom without an address. @return bytes received, or the negative errno */
    public static long receive(int fd, MemorySegment data, long length, int flags) {
        MemorySegment captured = Native.captured();
        try {
            long result = (long) RECVFROM.invokeExact(captured, fd, data, length, flags, MemorySegment.NULL, MemorySegment.NULL);
            return result < 0 ? -Native.errno(captured) : result;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** sendto. @return bytes sent, or the negative errno */
    public static long sendTo(int fd, MemorySegment data, long length, int flags, MemorySegment address) {
        MemorySegment captured = Native.captured();
        try {
            long result = (long) SENDTO.invokeExact(captured, fd, data, length, flags, address, (int) address.byteSize());
            return result < 0 ? -Native.errno(captured) : result;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * recvfrom.
     *
     * @param address       becomes the sender's
     * @param addressLength an int: bytes of it, before and after
     * @return bytes received, or the negative errno
     */
    public static long receiveFrom(int fd, MemorySegment data, long length, int flags, MemorySegment address,
            MemorySegment addressLength) {
        MemorySegment captured = Native.captured();
        try {
            long result = (long) RECVFROM.invokeExact(captured, fd, data, length, flags, address, addressLength);
            return result < 0 ? -Native.errno(captured) : result;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * ppoll with the present signal mask.
     *
     * @param descriptors array of struct pollfd
     * @param timeout     struct timespec
     * @return descriptors with events, or the negative errno
     */
    public static int poll(MemorySegment descriptors, int count, MemorySegment timeout) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) PPOLL.invokeExact(captured, descriptors, (long) count, timeout, MemorySegment.NULL);
            return result < 0 ? -Native.errno(captured) : result;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return a file descriptor that {@link #signal} makes readable and {@link #drain} unreadable; neither blocks */
    public static int eventfd() {
        MemorySegment captured = Native.captured();
        try {
            int fd = (int) EVENTFD.invokeExact(captured, 0, EFD_NONBLOCK | EFD_CLOEXEC);
            if (fd < 0) throw failure("open an eventfd", captured, "", "raise the limit of open files (ulimit -n)");
            return fd;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Makes an eventfd readable. @return 0, or the negative errno */
    public static int signal(int eventfd) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) EVENTFD_WRITE.invokeExact(captured, eventfd, 1L);
            return result < 0 ? -Native.errno(captured) : 0;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /**
     * Makes an eventfd unreadable.
     *
     * @param scratch 8 bytes
     * @return 0, or the negative errno
     */
    public static int drain(int eventfd, MemorySegment scratch) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) EVENTFD_READ.invokeExact(captured, eventfd, scratch);
            return result < 0 ? -Native.errno(captured) : 0;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** Lets the process lock as much memory as it likes, if it may: kernels before 5.11 count BPF maps there, all count packet memory. */
    public static void raiseMemlockLimit() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment unlimited = arena.allocateFrom(LONG, -1L, -1L);
            int ignored = (int) SETRLIMIT.invokeExact(Native.captured(), RLIMIT_MEMLOCK, unlimited);
            assert ignored <= 0;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return the result, or the negative errno */
    static int ioctl(int fd, long request, MemorySegment argument) {
        MemorySegment captured = Native.captured();
        try {
            int result = (int) IOCTL.invokeExact(captured, fd, request, argument);
            return result < 0 ? -Native.errno(captured) : result;
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return 0 when there is none */
    static int ifNameToIndex(String name) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) IF_NAMETOINDEX.invokeExact(Native.captured(), arena.allocateFrom(name));
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    /** @return empty when there is none */
    static String ifIndexToName(int index) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocate(ValueLayout.JAVA_BYTE, 16);
            long found = (long) IF_INDEXTONAME.invokeExact(Native.captured(), index, name);
            return found == 0 ? "" : name.getString(0);
        } catch (Throwable thrown) {
            throw Native.unexpected(thrown);
        }
    }

    private static SysException failure(String operation, MemorySegment captured, String where, String remedy) {
        return new SysException(operation, Native.errno(captured), where, remedy);
    }
}
