package io.ambo.node.config;

/**
 * One data interface. Its device is the port that carries the frames: itself, or the parent of a VLAN device.
 *
 * @param name   the kernel's name
 * @param zone   the zone it belongs to
 * @param parent the device that carries its frames when it is a VLAN interface, else empty
 * @param vlan   802.1Q id, or -1
 */
public record InterfaceConfig(String name, String zone, String parent, int vlan) {
    /** The device to attach the XDP program to. */
    public String device() { return parent.isEmpty() ? name : parent; }
}
