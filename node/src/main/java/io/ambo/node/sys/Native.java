package io.ambo.node.sys;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.stream.Stream;

/** Method handles of C functions. Callers keep them in static final fields and call them with invokeExact. */
final class Native {
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    static final ValueLayout POINTER = ValueLayout.ADDRESS;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> CAPTURED = ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(STATE));

    private Native() {}

    /** A function of libc that sets errno. Its first argument is {@link #captured()}. */
    static MethodHandle errnoFunction(String name, ValueLayout result, ValueLayout... arguments) {
        return errnoFunction(LINKER.defaultLookup(), name, result, arguments);
    }

    /** A function of another library that sets errno. Its first argument is {@link #captured()}. */
    static MethodHandle errnoFunction(SymbolLookup library, String name, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(library.findOrThrow(name), FunctionDescriptor.of(result, arguments), CAPTURE_ERRNO);
    }

    /** A variadic function of libc, bound to one set of arguments. Its first argument is {@link #captured()}. */
    static MethodHandle variadicErrnoFunction(String name, int fixedArguments, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments), CAPTURE_ERRNO,
                Linker.Option.firstVariadicArg(fixedArguments));
    }

    /** A function of libc without errno. */
    static MethodHandle function(String name, ValueLayout result, ValueLayout... arguments) {
        return function(LINKER.defaultLookup(), name, result, arguments);
    }

    /** A function of another library, without errno (libbpf returns it negated). */
    static MethodHandle function(SymbolLookup library, String name, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(library.findOrThrow(name), FunctionDescriptor.of(result, arguments));
    }

    /** A function of another library that returns nothing. */
    static MethodHandle procedure(SymbolLookup library, String name, ValueLayout... arguments) {
        return LINKER.downcallHandle(library.findOrThrow(name), FunctionDescriptor.ofVoid(arguments));
    }

    /** A C function pointer that calls Java, for the life of the process. The target must not throw: the JVM would end. */
    static MemorySegment callback(MethodHandle target, ValueLayout result, ValueLayout... arguments) {
        return LINKER.upcallStub(target, FunctionDescriptor.of(result, arguments), Arena.global());
    }

    /** The first of these libraries that is installed. */
    static SymbolLookup library(String remedy, String... names) {
        return Stream.of(names).flatMap(name -> {
            try {
                return Stream.of(SymbolLookup.libraryLookup(name, Arena.global()));
            } catch (IllegalArgumentException missing) {
                return Stream.empty();
            }
        }).findFirst().orElseThrow(() -> new SysException("load a library", Errno.ENOENT, String.join(", ", names), remedy));
    }

    /** Where this thread's calls leave errno. */
    static MemorySegment captured() { return CAPTURED.get(); }

    static int errno(MemorySegment captured) { return (int) ERRNO.get(captured, 0L); }

    /** A call by a method handle declares Throwable, but a C function throws nothing: what there is to throw came from the Java code around it. */
    static AssertionError unexpected(Throwable thrown) {
        if (thrown instanceof RuntimeException ours) throw ours;
        if (thrown instanceof Error error) throw error;
        return new AssertionError("a C function threw", thrown);
    }
}
