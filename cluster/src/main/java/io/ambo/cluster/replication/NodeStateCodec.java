package io.ambo.cluster.replication;

import com.google.protobuf.ByteString;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.NodeState;
import io.ambo.proto.sync.AddressState;
import io.ambo.proto.sync.SyncMessage;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A node's state on the wire. What is out of any bound is refused whole. */
public final class NodeStateCodec {
    private static final int MOST_MEMBERS = 64;
    private static final long LARGEST_MAC = (1L << 48) - 1;

    private NodeStateCodec() {}

    /** What a node has of another's batches: all up to this one. */
    public record Progress(int node, long run, long number) {}

    public static byte[] encode(NodeState state, List<Progress> progress) {
        io.ambo.proto.sync.NodeState.Builder message = io.ambo.proto.sync.NodeState.newBuilder().setRun(state.run())
                .setNumber(state.number()).setOpen(state.open()).setDraining(state.draining()).setLeaving(state.leaving())
                .setSyncAddress(bytes(state.syncAddress())).setSettingsDigest(state.settingsDigest())
                .addAllDrainingKnown(state.drainingKnown());
        for (NodeState.AddressState each : state.addresses())
            message.addAddresses(AddressState.newBuilder().setAddress(bytes(each.address())).setLinked(each.linked()).setFit(each.fit())
                    .setHeld(each.held()).setMac(each.mac()));
        for (Progress each : progress)
            message.addProgress(io.ambo.proto.sync.Progress.newBuilder().setNode(each.node()).setRun(each.run()).setNumber(each.number()));
        return SyncReceiver.message().setNodeState(message).build().toByteArray();
    }

    /** What the sender has of this node's batches. */
    static @Nullable Progress progress(SyncMessage message, NodeId of) {
        for (io.ambo.proto.sync.Progress each : message.getNodeState().getProgressList())
            if (each.getNode() == of.value()) return new Progress(each.getNode(), each.getRun(), each.getNumber());
        return null;
    }

    static NodeState decode(SyncMessage message) throws MalformedMessage {
        io.ambo.proto.sync.NodeState state = message.getNodeState();
        if (state.getAddressesCount() > NodeState.MOST_ADDRESSES || state.getDrainingKnownCount() > MOST_MEMBERS
                || state.getProgressCount() > MOST_MEMBERS)
            throw MalformedMessage.because("a node's state is too long");
        List<NodeState.AddressState> addresses = new ArrayList<>();
        for (AddressState each : state.getAddressesList()) {
            if (each.getMac() < 0 || each.getMac() > LARGEST_MAC) throw MalformedMessage.because("a hardware address has 48 bits");
            addresses.add(new NodeState.AddressState(address(each.getAddress()), each.getLinked(), each.getFit(), each.getHeld(),
                    each.getMac()));
        }
        Set<Integer> known = new LinkedHashSet<>();
        for (int id : state.getDrainingKnownList()) {
            if (id < 1 || id > 0xFFFF) throw MalformedMessage.because("a node's id is 1 to 65535");
            known.add(id);
        }
        return new NodeState(state.getRun(), state.getNumber(), state.getOpen(), state.getDraining(), state.getLeaving(),
                address(state.getSyncAddress()), state.getSettingsDigest(), known, addresses);
    }

    private static ByteString bytes(IpAddress address) { return ByteString.copyFrom(address.toBytes()); }

    private static IpAddress address(ByteString bytes) throws MalformedMessage {
        IpAddress address = bytes.size() == 4 || bytes.size() == 16 ? IpAddress.ofBytes(bytes.toByteArray()) : null;
        if (address == null) throw MalformedMessage.because("an address has 4 or 16 bytes");
        return address;
    }
}
