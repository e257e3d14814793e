package io.ambo.node.sys;

import static io.ambo.node.sys.Native.INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** What the kernel knows about an interface of the calling thread's network namespace, asked by system calls. */
public final class NetworkDevice {
    private static final int SIOCGIFHWADDR = 0x8927, SIOCETHTOOL = 0x8946;
    private static final int ETHTOOL_GFLAGS = 0x25, ETHTOOL_SFLAGS = 0x26, ETHTOOL_GGRO = 0x2b, ETHTOOL_SGRO = 0x2c,
            ETHTOOL_GCHANNELS = 0x3c;
    private static final int ETH_FLAG_RXVLAN = 1 << 8, ETH_FLAG_LRO = 1 << 15;
    /** struct ifreq: the name, then a union that holds an address or a pointer. */
    private static final int IFREQ_SIZE = 40, IFREQ_NAME_SIZE = 16, IFREQ_DATA = 16, IFREQ_MAC = 18;
    /** struct ethtool_channels: cmd, max_rx, max_tx, max_other, max_combined, rx_count, tx_count, other_count, combined_count. */
    private static final int CHANNELS_SIZE = 36, CHANNELS_RX = 20, CHANNELS_COMBINED = 32;

    private NetworkDevice() {}

    /** @throws SysException when there is no such interface */
    public static int index(String name) {
        int index = Libc.ifNameToIndex(name);
        if (index == 0) throw new SysException("find the interface", Errno.ENODEV, name, "'ip link' lists those that there are");
        return index;
    }

    /** The name, or "ifindex N" when there is no such interface (any more). */
    public static String nameOf(int index) {
        String name = Libc.ifIndexToName(index);
        return name.isEmpty() ? "ifindex " + index : name;
    }

    /** Receive queues in use now (ethtool -l: rx and combined); 1 when the driver does not say. */
    public static int receiveQueues(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment channels = arena.allocate(CHANNELS_SIZE, 8);
            channels.set(INT, 0, ETHTOOL_GCHANNELS);
            if (ethtool(name, channels, arena) < 0) return 1;
            return Math.max(1, channels.get(INT, CHANNELS_RX) + channels.get(INT, CHANNELS_COMBINED));
        }
    }

    /** Hardware address, the low 48 bits. */
    public static long mac(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = request(name, arena);
            int result = ioctl(SIOCGIFHWADDR, request);
            if (result < 0) throw new SysException("read the hardware address", -result, name, "'ip link' lists the interfaces");
            long mac = 0;
            for (int i = 0; i < 6; i++) mac = mac << 8 | request.get(ValueLayout.JAVA_BYTE, IFREQ_MAC + i) & 0xFF;
            return mac;
        }
    }

    /**
     * Has the device leave VLAN tags in the frames and not join TCP segments before an XDP program sees them (ethtool -K NAME rxvlan off lro off). What
     * the driver cannot change stays as it is.
     */
    public static void keepFramesAsReceived(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(8, 8);
            value.set(INT, 0, ETHTOOL_GFLAGS);
            if (ethtool(name, value, arena) < 0) return;
            int wanted = value.get(INT, 4) & ~(ETH_FLAG_RXVLAN | ETH_FLAG_LRO);
            if (wanted == value.get(INT, 4)) return;
            value.set(INT, 0, ETHTOOL_SFLAGS);
            value.set(INT, 4, wanted);
            ethtool(name, value, arena);
        }
    }

    /** Has the stack not join TCP segments before a program in generic mode sees them (ethtool -K NAME gro off). */
    public static void disableReceiveJoining(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(8, 8);
            value.set(INT, 0, ETHTOOL_GGRO);
            if (ethtool(name, value, arena) < 0 || value.get(INT, 4) == 0) return;
            value.set(INT, 0, ETHTOOL_SGRO);
            value.set(INT, 4, 0);
            ethtool(name, value, arena);
        }
    }

    /** @return 0 or more, or the negative errno */
    private static int ethtool(String name, MemorySegment command, Arena arena) {
        MemorySegment request = request(name, arena);
        request.set(ValueLayout.ADDRESS, IFREQ_DATA, command);
        return ioctl(SIOCETHTOOL, request);
    }

    private static int ioctl(long command, MemorySegment request) {
        int fd = Libc.socket(Libc.AF_INET, Libc.SOCK_DGRAM, 0);
        try {
            return Libc.ioctl(fd, command, request);
        } finally {
            Libc.close(fd);
        }
    }

    private static MemorySegment request(String name, Arena arena) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length >= IFREQ_NAME_SIZE) {
            throw new SysException("name an interface", Errno.EINVAL, name, "names have at most " + (IFREQ_NAME_SIZE - 1) + " bytes");
        }
        MemorySegment request = arena.allocate(IFREQ_SIZE, 8);
        MemorySegment.copy(bytes, 0, request, ValueLayout.JAVA_BYTE, 0, bytes.length);
        return request;
    }
}
