package io.ambo.node.config;

/** How the XDP program is attached. */
public enum XdpMode {
    /** Native where the driver has it, generic otherwise. */
    AUTO, NATIVE, GENERIC
}
