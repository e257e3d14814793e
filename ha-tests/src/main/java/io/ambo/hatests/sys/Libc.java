package io.ambo.hatests.sys;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Scheduling;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * The system calls of the proof: entering a network namespace, and raw frames. The node has its own in {@code io.ambo.node.sys}; nothing is shared, so
 * that a mistake there is not repeated here. Every call either succeeds or throws {@link SystemCallException}.
 */
public final class Libc {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> CAPTURED = ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(STATE));

    private static final MethodHandle OPEN = variadic("open", 2, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle CLOSE = function("close", JAVA_INT, JAVA_INT);
    private static final MethodHandle SETNS = function("setns", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle SOCKET = function("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle BIND = function("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SETSOCKOPT = function("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SENDMMSG = function("sendmmsg", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    private static final MethodHandle IF_NAMETOINDEX = function("if_nametoindex", JAVA_INT, ADDRESS);
    private static final MethodHandle SETSCHEDULER = function("sched_setscheduler", JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS);
    private static final MethodHandle RECV = function("recv", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);

    private static final int O_RDONLY = 0, O_CLOEXEC = 0x80000, CLONE_NEWNET = 0x40000000;

    private Libc() {}

    /** Moves the calling thread, and no other, into the network namespace that this file stands for. It cannot be a virtual thread. */
    public static void enterNetworkNamespace(String file) {
        if (Thread.currentThread().isVirtual()) throw new IllegalStateException("a virtual thread has no namespace of its own");
        int fd = open(file);
        try {
            check("setns", file, callInt(() -> (int) SETNS.invokeExact(CAPTURED.get(), fd, CLONE_NEWNET)));
        } finally {
            close(fd);
        }
    }

    /** Keeps the calling thread on one processor from now on. */
    public static void pinThread(int cpu) {
        int errno = Scheduling.pinThisThread(cpu);
        if (errno != 0) throw new SystemCallException("sched_setaffinity", "cpu=" + cpu, errno);
    }

    /** Lets the calling thread run before all others (SCHED_FIFO), or as an ordinary one again. It must sleep now and then. */
    public static void realTime(boolean on) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment priority = arena.allocateFrom(JAVA_INT, on ? 99 : 0);
            check("sched_setscheduler", "on=" + on, callInt(() -> (int) SETSCHEDULER.invokeExact(CAPTURED.get(), 0, on ? 1 : 0, priority)));
        }
    }

    static int open(String file) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment path = arena.allocateFrom(file);
            return check("open", file, callInt(() -> (int) OPEN.invokeExact(CAPTURED.get(), path, O_RDONLY | O_CLOEXEC)));
        }
    }

    static void close(int fd) { int _ = callInt(() -> (int) CLOSE.invokeExact(CAPTURED.get(), fd)); }

    static int socket(int domain, int type, int protocol) {
        return check("socket", "domain=" + domain, callInt(() -> (int) SOCKET.invokeExact(CAPTURED.get(), domain, type, protocol)));
    }

    static void bind(int fd, MemorySegment address) {
        check("bind", "fd=" + fd, callInt(() -> (int) BIND.invokeExact(CAPTURED.get(), fd, address, (int) address.byteSize())));
    }

    static void setIntOption(int fd, int level, int option, int value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocateFrom(JAVA_INT, value);
            check("setsockopt", "level=" + level + " option=" + option,
                    callInt(() -> (int) SETSOCKOPT.invokeExact(CAPTURED.get(), fd, level, option, argument, (int) JAVA_INT.byteSize())));
        }
    }

    /** In the calling thread's namespace. */
    public static int interfaceIndex(String device) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(device);
            int index = callInt(() -> (int) IF_NAMETOINDEX.invokeExact(CAPTURED.get(), name));
            if (index == 0) throw new SystemCallException("if_nametoindex", device, errno());
            return index;
        }
    }

    /** @return messages sent; 0 when the device's queue is full just now */
    static int sendMany(int fd, MemorySegment messages, int count) {
        int sent = callInt(() -> (int) SENDMMSG.invokeExact(CAPTURED.get(), fd, messages, count, 0));
        if (sent >= 0) return sent;
        int errno = errno();
        if (errno == Errno.ENOBUFS || errno == Errno.EAGAIN || errno == Errno.EINTR) return 0;
        throw new SystemCallException("sendmmsg", "fd=" + fd, errno);
    }

    /** @return bytes received; -1 when nothing came within the socket's receive timeout */
    static int receive(int fd, MemorySegment into) {
        long got = callLong(() -> (long) RECV.invokeExact(CAPTURED.get(), fd, into, into.byteSize(), 0));
        if (got >= 0) return (int) got;
        int errno = errno();
        if (errno == Errno.EAGAIN || errno == Errno.EINTR) return -1;
        throw new SystemCallException("recv", "fd=" + fd, errno);
    }

    static void setReceiveTimeout(int fd, long timeoutMs) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment timeval = arena.allocateFrom(JAVA_LONG, timeoutMs / 1000, timeoutMs % 1000 * 1000);
            check("setsockopt", "SO_RCVTIMEO",
                    callInt(() -> (int) SETSOCKOPT.invokeExact(CAPTURED.get(), fd, 1, 20, timeval, (int) timeval.byteSize())));
        }
    }

    private static int errno() { return (int) ERRNO.get(CAPTURED.get(), 0L); }

    private static int check(String call, String where, int result) {
        if (result < 0) throw new SystemCallException(call, where, errno());
        return result;
    }

    private static MethodHandle function(String name, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"));
    }

    private static MethodHandle variadic(String name, int fixedArguments, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"), Linker.Option.firstVariadicArg(fixedArguments));
    }

    @FunctionalInterface
    private interface IntCall {
        int invoke() throws Throwable;
    }

    @FunctionalInterface
    private interface LongCall {
        long invoke() throws Throwable;
    }

    private static int callInt(IntCall call) {
        try {
            return call.invoke();
        } catch (RuntimeException | Error unchecked) {
            throw unchecked;
        } catch (Throwable impossible) {
            throw new AssertionError("a C function throws nothing", impossible);
        }
    }

    private static long callLong(LongCall call) {
        try {
            return call.invoke();
        } catch (RuntimeException | Error unchecked) {
            throw unchecked;
        } catch (Throwable impossible) {
            throw new AssertionError("a C function throws nothing", impossible);
        }
    }
}
