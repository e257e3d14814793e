package io.ambo.cluster.jgroups;

import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jgroups.Address;
import org.jgroups.BytesMessage;
import org.jgroups.Event;
import org.jgroups.JChannel;
import org.jgroups.MergeView;
import org.jgroups.Message;
import org.jgroups.PhysicalAddress;
import org.jgroups.protocols.FD_ALL3;
import org.jgroups.util.ExtendedUUID;
import org.jgroups.util.MessageBatch;
import org.jspecify.annotations.Nullable;

/**
 * The transport over JGroups: membership, reliable multicast and unicast, failure detection. Every packet is sealed below JGroups ({@link Seal}). A member's
 * address carries its node name, so that no name has to be asked for.
 *
 * <p>
 * Messages are delivered on the thread that read the socket: one for multicast, one for unicast (TCP: one for each peer).
 */
public final class JGroupsTransport implements Transport {
    private static final Logger LOG = LogManager.getLogger();
    private static final String NAME_KEY = "n";
    private static final int LONGEST_NAME = 200;
    private static final Path RMEM_MAX = Path.of("/proc/sys/net/core/rmem_max");

    private final ClusterSettings settings;
    private final NodeId local;
    private @Nullable JChannel channel;
    private volatile Map<NodeId, Address> addresses = Map.of();
    private volatile Map<Address, NodeId> members = Map.of();
    /** Of those that have left, as long as the channel is open: bounded by the names that there are. */
    private final Map<NodeId, Address> formerAddresses = new ConcurrentHashMap<>();
    private final Seal seal;
    private long views;

    public JGroupsTransport(ClusterSettings settings) {
        this.settings = settings;
        local = NodeId.of(settings.node());
        seal = new Seal(settings.key(), settings.cluster(), new SecureRandom(), System::nanoTime);
    }

    @Override
    public void start(Receiver receiver) throws ClusterException {
        warnOfSmallBuffers();
        JChannel opened = null;
        try {
            opened = new JChannel(SyncStack.configuration(settings));
            opened.setName(settings.node());
            opened.addAddressGenerator(this::address);
            ((SealedLink) opened.getProtocolStack().getTransport()).seal(seal, new ToReceiver(receiver));
            opened.setReceiver(new FromChannel(receiver));
            channel = opened;
            opened.connect(settings.cluster());
        } catch (ClusterException e) {
            throw e;
        } catch (Exception e) {
            if (opened != null) opened.close();
            channel = null;
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new ClusterException(
                    "node " + settings.node() + " cannot open the sync link on " + settings.bindAddress().getHostAddress(),
                    "check cluster.bind-address, its interface and that no other process uses the ports", cause);
        }
    }

    @Override
    public void sendToAll(byte[] bytes, int offset, int length) throws ClusterException {
        send(new BytesMessage(null, copy(bytes, offset, length)), "the cluster");
    }

    @Override
    public void sendToAllUnordered(byte[] bytes, int offset, int length) throws ClusterException {
        send(new BytesMessage(null, copy(bytes, offset, length)).setFlag(Message.Flag.OOB), "the cluster");
    }

    @Override
    public void sendTo(NodeId peer, byte[] bytes, int offset, int length) throws ClusterException {
        Address address = addresses.get(peer);
        if (address != null) send(new BytesMessage(address, copy(bytes, offset, length)), peer.name());
    }

    @Override
    public void sendHint(NodeId peer, byte[] bytes, int offset, int length) {
        Address member = addresses.get(peer);
        Address address = member != null ? member : formerAddresses.get(peer);
        JChannel open = channel;
        if (address == null || open == null) return;
        Message message = new BytesMessage(address, copy(bytes, offset, length)).setFlag(Message.Flag.NO_RELIABILITY, Message.Flag.NO_FC)
                .setFlag(Message.TransientFlag.DONT_BLOCK);
        try {
            open.send(message);
        } catch (Exception e) {
            LOG.debug("A hint to {} was not sent", peer, e);
        }
    }

    /** As if the failure detector had said so: VERIFY_SUSPECT2 above it asks the peer itself before the view changes. */
    @Override
    public void suspect(NodeId peer) {
        Address address = addresses.get(peer);
        JChannel open = channel;
        if (address == null || open == null) return;
        FD_ALL3 detector = open.getProtocolStack().findProtocol(FD_ALL3.class);
        detector.getUpProtocol().up(new Event(Event.SUSPECT, List.of(address)));
    }

    @Override
    public void rekey(ClusterKey key) { seal.rekey(key); }

    @Override
    public void close() {
        JChannel open = channel;
        channel = null;
        if (open != null) open.close();
    }

    private void send(Message message, String whom) throws ClusterException {
        JChannel open = channel;
        if (open == null) throw new ClusterException("a message to " + whom + " was not sent", "the sync link is closed", null);
        try {
            open.send(message.setFlag(Message.TransientFlag.DONT_LOOPBACK));
        } catch (Exception e) {
            throw new ClusterException("a message to " + whom + " was not sent", "the sync link is closing or its interface is down", e);
        }
    }

    /** JGroups keeps a message until everybody has it. */
    private static byte[] copy(byte[] bytes, int offset, int length) {
        return Arrays.copyOfRange(bytes, offset, offset + length);
    }

    private Address address() {
        byte[] name = settings.node().getBytes(StandardCharsets.UTF_8);
        if (name.length > LONGEST_NAME) throw new IllegalArgumentException("node.name has more than " + LONGEST_NAME + " bytes");
        return ExtendedUUID.randomUUID(settings.node()).put(NAME_KEY, name);
    }

    private static @Nullable NodeId nodeOf(Address address) {
        byte[] name = address instanceof ExtendedUUID named ? named.get(NAME_KEY) : null;
        return name == null ? null : NodeId.of(new String(name, StandardCharsets.UTF_8));
    }

    private void warnOfSmallBuffers() {
        int wanted = settings.limits().socketBufferBytes();
        // One read: the kernel gives such a file whole or not at all.
        try (InputStream in = Files.newInputStream(RMEM_MAX)) {
            byte[] text = new byte[32];
            long largest = Long.parseLong(new String(text, 0, Math.max(0, in.read(text)), StandardCharsets.US_ASCII).strip());
            if (largest < wanted)
                LOG.warn("Sync sockets get receive buffers of {} bytes instead of {}: bursts of deltas will be lost and sent again. "
                        + "Raise it: sysctl -w net.core.rmem_max={} net.core.wmem_max={}", largest, wanted, wanted, wanted);
        } catch (IOException | NumberFormatException e) {
            LOG.debug("{} cannot be read", RMEM_MAX, e);
        }
    }

    /** What JGroups tells, on its threads. */
    private final class FromChannel implements org.jgroups.Receiver {
        private final Receiver receiver;

        FromChannel(Receiver receiver) { this.receiver = receiver; }

        @Override
        public void receive(Message message) {
            NodeId sender = members.get(message.getSrc());
            if (sender == null) sender = nodeOf(message.getSrc());
            if (sender == null || sender.equals(local) || !message.hasArray()) return;
            try {
                receiver.onMessage(sender, message.getArray(), message.getOffset(), message.getLength());
            } catch (RuntimeException e) {
                LOG.error("A message of {} could not be handled", sender, e);
            }
        }

        @Override
        public void receive(MessageBatch batch) { for (Message message : batch) receive(message); }

        @Override
        public void viewAccepted(org.jgroups.View view) {
            Map<NodeId, Address> byNode = new HashMap<>();
            Map<Address, NodeId> byAddress = new HashMap<>();
            Map<Integer, NodeId> byValue = new HashMap<>();
            List<NodeId> order = new ArrayList<>();
            String clash = "";
            for (Address address : view.getMembers()) {
                NodeId node = nodeOf(address);
                if (node == null) continue;
                NodeId other = byValue.put(node.value(), node);
                if (other != null) clash = clash(node, other);
                if (other == null) order.add(node);
                // Of two of one name the younger lives: the older is a predecessor that has not been given up yet.
                byNode.put(node, address);
                byAddress.put(address, node);
            }
            members = byAddress;
            formerAddresses.putAll(byNode);
            addresses = byNode;
            receiver.onMembership(new Membership(new io.ambo.cluster.membership.View(++views, local, order), parts(view), clash));
        }

        private String clash(NodeId node, NodeId other) {
            if (node.equals(other))
                return "another member is called " + node
                        + " too (or this node's predecessor has not been given up yet): give each node its own node.name";
            return "the names " + node + " and " + other + " have the same node id " + node.value() + ": rename one of them (node.name)";
        }

        private List<NodeId> parts(org.jgroups.View view) {
            if (!(view instanceof MergeView merged)) return List.of();
            List<NodeId> firsts = new ArrayList<>();
            for (org.jgroups.View part : merged.getSubgroups()) {
                NodeId first = part.getMembers().isEmpty() ? null : nodeOf(part.getMembers().getFirst());
                if (first != null) firsts.add(first);
            }
            return firsts;
        }
    }

    /** Refused packets and strangers. */
    private final class ToReceiver implements SealedLink.Refusals {
        private final Receiver receiver;

        ToReceiver(Receiver receiver) { this.receiver = receiver; }

        @Override
        public void onRefusedPacket(PacketRefusal refusal) { receiver.onRefusedPacket(refusal); }

        @Override
        public void onStranger(Address from) {
            String address = from instanceof PhysicalAddress physical ? physical.printIpAddress() : from.toString();
            receiver.onRefused(
                    address + " speaks of cluster " + settings.cluster() + " with another key: give both nodes the same cluster.key-file");
        }
    }
}
