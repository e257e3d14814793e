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

/** Method handles of C functions. Callers keep them in static final fields and call them with invokeExact. */
final class Native {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> CAPTURED = ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(STATE));

    private Native() {}

    /** A function of libc that sets errno. Its first argument is {@link #captured()}. */
    static MethodHandle errnoFunction(String name, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"));
    }

    /** A function of another library, without errno (libbpf returns it negated). */
    static MethodHandle function(SymbolLookup library, String name, ValueLayout result, ValueLayout... arguments) {
        return LINKER.downcallHandle(library.findOrThrow(name), FunctionDescriptor.of(result, arguments));
    }

    /** Where this thread's calls leave errno. A hot loop fetches it once and keeps it. */
    static MemorySegment captured() {
        return CAPTURED.get();
    }

    static int errno(MemorySegment captured) { return (int) ERRNO.get(captured, 0L); }
}
