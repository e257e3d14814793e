package io.ambo.node.redirect;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Libc;
import io.ambo.node.sys.SysException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One worker's way to the other members, and theirs to it: a UDP socket on the sync link's address. It never waits: a datagram that the kernel does not take at
 * once is counted, and the packet the caller's to drop. What is larger than the link's MTU, the kernels fragment and put together again.
 *
 * <p>All workers' sockets have one port (SO_REUSEPORT), so datagrams of one member come to one worker, in order. The worker's own; allocates nothing.
 */
public final class RedirectSocket implements AutoCloseable {
    private static final int SO_REUSEPORT = 15, IPPROTO_IP = 0, IPPROTO_IPV6 = 41, IP_MTU_DISCOVER = 10, IPV6_MTU_DISCOVER = 23, DO_NOT = 0;
    private static final int BUFFER_BYTES = 4 << 20;
    private static final int LARGEST = 65_535;
    /** Offset of the IPv6 address in struct sockaddr_in6, and of the IPv4 address in sockaddr_in. */
    private static final int ADDRESS6 = 8, ADDRESS4 = 4;
    private static final int SOCKET_ADDRESS = 28;

    private final Redirects redirects;
    private final CounterBank<RedirectCounter>.Row counters;
    private final int fd;
    private final boolean ipv6;
    private final MemorySegment out = Arena.ofAuto().allocate(LARGEST, 8);
    private final MemorySegment in = Arena.ofAuto().allocate(LARGEST, 8);
    private final MemorySegment from = Arena.ofAuto().allocate(SOCKET_ADDRESS, 8);
    private final MemorySegment fromLength = Arena.ofAuto().allocate(4, 4);
    private final MemorySegment scratch = Arena.ofAuto().allocate(Geneve.TAGGED, 8);

    RedirectSocket(Redirects redirects, CounterBank<RedirectCounter>.Row counters) {
        this.redirects = redirects;
        this.counters = counters;
        ipv6 = redirects.bindAddress().getAddress().length == Geneve.ADDRESS;
        fd = Libc.socket(ipv6 ? 10 : Libc.AF_INET, Libc.SOCK_DGRAM | Libc.SOCK_NONBLOCK, 0);
        try {
            Libc.setsockopt(fd, Libc.SOL_SOCKET, SO_REUSEPORT, 1);
            Libc.setsockopt(fd, Libc.SOL_SOCKET, Libc.SO_RCVBUFFORCE, BUFFER_BYTES);
            Libc.setsockopt(fd, Libc.SOL_SOCKET, Libc.SO_SNDBUFFORCE, BUFFER_BYTES);
            // Too large a datagram goes in fragments, whatever path MTU somebody has told of.
            if (ipv6) Libc.setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, DO_NOT);
            else
                Libc.setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, DO_NOT);
            int result = Libc.bind(fd, RedirectPeer.socketAddress(redirects.bindAddress(), redirects.port()));
            if (result < 0)
                throw new SysException("open the port for redirected packets", -result,
                        redirects.bindAddress().getHostAddress() + " port " + redirects.port(),
                        "another program has it: end that, or set cluster.redirect-port (on all members)");
        } catch (SysException failed) {
            Libc.close(fd);
            throw failed;
        }
    }

    public int fd() { return fd; }

    /**
     * Hands a packet to a member.
     *
     * @param ingress node id of the member it came in at
     * @param ip      offset of its IP header
     * @return false when that member is not known yet, or the kernel did not take it
     */
    public boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length) {
        return send(member, zone, ingress, hops, memory, ip, length, 1);
    }

    /**
     * The same over a link that loses.
     *
     * @param copies the same datagram so many times; the receiver takes one, by its number, and counts the others as replayed
     */
    public boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length, int copies) {
        RedirectPeer peer = redirects.peer(member);
        if (peer == null || length + Geneve.SIZE > LARGEST) {
            counters.increment(RedirectCounter.UNSENT_NO_PEER);
            return false;
        }
        MemorySegment.copy(memory, ip, out, Geneve.SIZE, length);
        Geneve.write(out, 0, zone, redirects.local().value(), ingress, hops, Geneve.WORKER, redirects.nextSequence());
        Geneve.writeTag(out, 0,
                Geneve.tag(redirects.address, peer.address, out, 0, length, redirects.key0, redirects.key1, scratch));
        long sent = -1;
        for (int copy = 0; copy < copies; copy++)
            sent = Math.max(sent, Libc.sendTo(fd, out, Geneve.SIZE + length, Libc.MSG_DONTWAIT, peer.socketAddress));
        if (sent < 0) {
            counters.increment(RedirectCounter.UNSENT_FULL);
            return false;
        }
        counters.increment(RedirectCounter.SENT);
        if (Geneve.SIZE + length > redirects.linkMtu() - (ipv6 ? 48 : 28)) counters.increment(RedirectCounter.SENT_IN_FRAGMENTS);
        return true;
    }

    /**
     * Takes the next packet that a member has handed over.
     *
     * @param frame    where it is written, with its {@link HandedFrame} header
     * @param capacity bytes there
     * @return length of the frame; 0: nothing is there; -1: what was there was refused, and counted
     */
    public int receive(MemorySegment memory, long frame, int capacity) {
        fromLength.set(ValueLayout.JAVA_INT, 0, SOCKET_ADDRESS);
        long received = Libc.receiveFrom(fd, in, LARGEST, Libc.MSG_DONTWAIT, from, fromLength);
        // An error that a member's host has sent (nobody listens there any more) is of no interest here.
        if (received < 0) return received == -Errno.EAGAIN || received == -Errno.EINTR ? 0 : -1;
        RedirectCounter refusal = judge((int) received);
        if (refusal != null) {
            counters.increment(refusal);
            return -1;
        }
        int length = (int) received - Geneve.SIZE;
        if (HandedFrame.HEADER + length > capacity) {
            counters.increment(RedirectCounter.REFUSED_MALFORMED);
            return -1;
        }
        counters.increment(RedirectCounter.RECEIVED);
        HandedFrame.write(memory, frame, in, 0);
        MemorySegment.copy(in, Geneve.SIZE, memory, frame + HandedFrame.HEADER, length);
        return HandedFrame.HEADER + length;
    }

    private @org.jspecify.annotations.Nullable RedirectCounter judge(int length) {
        if (!Geneve.isSound(in, 0, length)) return RedirectCounter.REFUSED_MALFORMED;
        RedirectPeer peer = redirects.peer(Geneve.sender(in, 0));
        if (peer == null || !isFrom(peer)) return RedirectCounter.REFUSED_SENDER;
        if (Geneve.lane(in, 0) != Geneve.WORKER) return RedirectCounter.REFUSED_LANE;
        long tag = Geneve.tag(peer.address, redirects.address, in, 0, length - Geneve.SIZE, peer.key0, peer.key1, scratch);
        if (tag != Geneve.tagOf(in, 0)) return RedirectCounter.REFUSED_UNAUTHENTIC;
        return peer.window.accept(Geneve.sequence(in, 0)) ? null : RedirectCounter.REFUSED_REPLAYED;
    }

    private boolean isFrom(RedirectPeer peer) {
        int at = ipv6 ? ADDRESS6 : ADDRESS4;
        int size = ipv6 ? Geneve.ADDRESS : 4;
        return MemorySegment.mismatch(from, at, at + size, peer.address, Geneve.ADDRESS - size, Geneve.ADDRESS) < 0;
    }

    @Override
    public void close() { Libc.close(fd); }
}
