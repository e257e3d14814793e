package io.ambo.node.redirect;

import io.ambo.cluster.membership.NodeId;
import java.net.InetAddress;

/** The kernel's part: its XDP program sends and takes redirected packets of flows that it knows. */
public interface KernelLane {
    /** There is none. */
    KernelLane NONE = new KernelLane() {
        @Override
        public boolean isOn() { return false; }

        @Override
        public void sendTo(NodeId member, InetAddress address, int port) {}

        @Override
        public void sendNoMoreTo(int member) {}

        @Override
        public void takeFrom(NodeId member, InetAddress address, long key0, long key1) {}

        @Override
        public void takeNoMoreFrom(int member) {}
    };

    boolean isOn();

    /** Packets of flows that this member owns may go to it. */
    void sendTo(NodeId member, InetAddress address, int port);

    void sendNoMoreTo(int member);

    /** Datagrams of this member's kernel are known by this key. With the key that it has already, its sequence numbers go on. */
    void takeFrom(NodeId member, InetAddress address, long key0, long key1);

    void takeNoMoreFrom(int member);
}
