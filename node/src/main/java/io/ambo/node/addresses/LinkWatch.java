package io.ambo.node.addresses;

import io.ambo.cluster.address.IpAddress;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.sys.LinkSocket;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Asks and tells on one link who has which address. Owned by the address keeper's thread. */
final class LinkWatch implements AutoCloseable {
    private static final int FRAME_BYTES = 256, FRAMES_PER_TURN = 256;

    private final int interfaceIndex;
    private final LinkSocket arp;
    private final LinkSocket ipv6;
    private final byte[] frame = new byte[FRAME_BYTES];

    LinkWatch(int interfaceIndex) {
        this.interfaceIndex = interfaceIndex;
        arp = new LinkSocket(interfaceIndex, LinkSocket.ARP);
        try {
            ipv6 = new LinkSocket(interfaceIndex, LinkSocket.IPV6);
        } catch (RuntimeException e) {
            arp.close();
            throw e;
        }
    }

    int interfaceIndex() { return interfaceIndex; }

    int[] descriptors() { return new int[]{ arp.fd(), ipv6.fd() }; }

    /** Says that the address is here. A link that is down swallows it: it is said again. */
    void announce(IpAddress address, long mac) {
        for (byte[] each : LinkFrames.announcement(address, mac)) arp.send(each);
    }

    /** Asks who has the address. */
    void ask(IpAddress address, DataInterface from) {
        @Nullable
        IpAddress source = from.ipv6High() == 0 && from.ipv6Low() == 0 ? null : new IpAddress(from.ipv6High(), from.ipv6Low());
        arp.send(LinkFrames.question(address, from.mac(), from.ipv4(), source));
    }

    /** Reads what has come. */
    void receive(Consumer<LinkFrames.Owner> owners) {
        for (LinkSocket socket : new LinkSocket[]{ arp, ipv6 }) {
            for (int i = 0; i < FRAMES_PER_TURN; i++) {
                int length = socket.receive(frame);
                if (length == 0) break;
                LinkFrames.Owner owner = LinkFrames.owner(frame, length);
                if (owner != null) owners.accept(owner);
            }
        }
    }

    @Override
    public void close() {
        arp.close();
        ipv6.close();
    }
}
