import TestSupport

/// strace(1), which puts faults into the system calls of a program; nil where it is not installed or may not trace.
let faultTracer: String? = {
    guard let strace = ToolProcess.peer("strace") else { return nil }
    let words = ["-qq", "-o", "/dev/null", "-e", "inject=getppid:signal=KILL:when=1", "/bin/true"]
    return (try? ToolProcess.run(strace, words))?.status == 0 ? strace : nil
}()
