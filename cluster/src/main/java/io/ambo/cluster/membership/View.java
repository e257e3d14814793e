package io.ambo.cluster.membership;

import java.util.List;
import java.util.Set;

/**
 * Who is in the cluster, as one step of the membership protocol, and who of them is to be left alone.
 *
 * @param id       grows with every view this node installs
 * @param local    this node
 * @param members  all nodes, this one included, the longest-standing first
 * @param draining node ids, ascending, of members that own nothing as long as there are others; each node learns that in its own time. A list, as it is looked
 *                 through for each packet, and a set would have to be asked with an object
 */
public record View(long id, NodeId local, List<NodeId> members, List<Integer> draining) {
    public View {
        members = List.copyOf(members);
        draining = List.copyOf(draining);
    }

    /** Nobody drains. */
    public View(long id, NodeId local, List<NodeId> members) { this(id, local, members, List.of()); }

    /** The same members, of whom these drain. */
    public View draining(Set<Integer> nodeIds) {
        return new View(id, local, members, nodeIds.stream().sorted().toList());
    }

    public boolean contains(int nodeId) {
        for (int i = 0; i < members.size(); i++) if (members.get(i).value() == nodeId) return true;
        return false;
    }

    /** A member, and not to be left alone. */
    public boolean mayOwn(int nodeId) { return contains(nodeId) && !drains(nodeId); }

    boolean drains(int nodeId) {
        for (int i = 0; i < draining.size(); i++) if (draining.get(i) == nodeId) return true;
        return false;
    }

    /** True when nobody else is there. */
    public boolean alone() { return members.size() <= 1; }
}
