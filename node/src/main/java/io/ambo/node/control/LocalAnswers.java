package io.ambo.node.control;

import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.proto.control.Failure;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;

/** What this node answers for itself, to its own control socket and to its peers. Stateless; any thread. */
public final class LocalAnswers {
    private final ControlTarget target;

    public LocalAnswers(ControlTarget target) { this.target = target; }

    /** A peer's question. Never throws: whatever cannot be answered is answered with an error. */
    public byte[] answer(byte[] request) {
        Request parsed;
        try {
            parsed = Request.parseFrom(request);
        } catch (InvalidProtocolBufferException e) {
            return Response.newBuilder().setError(Failure.newBuilder().setCode(Failure.Code.BAD_REQUEST).setMessage("not a request"))
                    .build()
                    .toByteArray();
        }
        return Response.newBuilder().setId(parsed.getId()).addNodes(answer(parsed)).build().toByteArray();
    }

    NodeAnswer answer(Request request) {
        NodeAnswer.Builder answer = NodeAnswer.newBuilder().setNode(target.nodeName()).setLocal(true);
        switch (request.getCommandCase()) {
            case STATUS -> answer.setStatus(target.status());
            case MEMBERS -> answer.setMembers(target.members());
            case VERSION -> answer.setVersion(target.version());
            default -> answer.setError(Failure.newBuilder().setCode(Failure.Code.BAD_REQUEST).setMessage("unknown request"));
        }
        return answer.build();
    }
}
