#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include <netinet/in.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include "lib/net/uv_network.h"
#include "lib/net/tls_context.h"
#include "lib/splice/splice.h"
#include "lib/testing/test_certificate.h"
using namespace gatehouse;
static double Cpu(){ rusage u; getrusage(RUSAGE_THREAD,&u); return u.ru_utime.tv_sec+u.ru_stime.tv_sec+(u.ru_utime.tv_usec+u.ru_stime.tv_usec)/1e6; }
int main(int argc,char**argv){
  bool tls=argc>1&&atoi(argv[1]); size_t total=size_t(argc>2?atoi(argv[2]):2)<<30;
  TestAuthority ca; auto f=ca.Issue({.dns_names={"x.test"}});
  TlsServerContext::Options so; so.certificates={{f.certificate_file,f.private_key_file}};
  auto st=*TlsServerContext::Create(so); TlsClientContext::Options co; co.ca_file=ca.ca_file(); auto ct=*TlsClientContext::Create(co);
  auto net=UvNetwork::Create();
  std::unique_ptr<Stream> down; std::unique_ptr<Splice> splice; std::unique_ptr<Operation> conn; 
  int ls=socket(AF_INET,SOCK_STREAM,0); sockaddr_in a={}; a.sin_family=AF_INET; a.sin_addr.s_addr=htonl(0x7f000001); bind(ls,(sockaddr*)&a,sizeof a); listen(ls,5); socklen_t l=sizeof a; getsockname(ls,(sockaddr*)&a,&l);
  SocketAddress up=SocketAddress::FromSockaddr((sockaddr*)&a);
  struct H:StreamHandler{ std::function<void()> est; void OnData(std::string_view) override{} void OnEof() override{} void OnTlsEstablished() override{est();} void OnFailure(const Failure&f) override{ puts(f.text.c_str()); } } h;
  double cpu0=0;
  auto listener=*net->Listen(*SocketAddress::Parse("127.0.0.1",0),{},[&](std::unique_ptr<Stream> s){ down=std::move(s);
    auto go=[&]{ conn=net->Connect(up,{},[&](Network::ConnectResult r){ cpu0=Cpu(); splice=std::make_unique<Splice>(*net,std::move(down),std::move(std::get<0>(r)),SpliceOptions(),[&](const SpliceResult&r){ printf("up bytes %zu cpu/GiB %.3f\n",(size_t)r.bytes_from_upstream,(Cpu()-cpu0)/(r.bytes_from_upstream/1073741824.0)); net->Stop();}); splice->Start("",""); }); };
    h.est=go; if(tls){ down->set_handler(&h); down->StartServerTls(*st);} else go(); });
  SocketAddress front=listener->local();
  pid_t src=fork(); if(!src){ int c=accept(ls,0,0); static char b[262144]; memset(b,7,sizeof b); size_t left=total; while(left){ ssize_t n=write(c,b,std::min(left,sizeof b)); if(n<=0) _exit(1); left-=n;} close(c); _exit(0);}  
  pid_t dst=fork(); if(!dst){ if(tls){ auto n2=UvNetwork::Create(); std::unique_ptr<Stream> s; struct D:StreamHandler{ size_t n=0; UvNetwork*net; void OnData(std::string_view b) override{n+=b.size();} void OnEof() override{net->Stop();} void OnFailure(const Failure&f) override{ puts(f.text.c_str()); net->Stop();} } d; d.net=n2.get(); auto o=n2->Connect(front,{},[&](Network::ConnectResult r){ s=std::move(std::get<0>(r)); s->set_handler(&d); s->StartClientTls(*ct,"x.test"); s->ResumeReading();}); n2->Run(); printf("got %zu\n",d.n); fflush(stdout); s.reset(); _exit(0);} int c=socket(AF_INET,SOCK_STREAM,0); connect(c,front.raw(),front.raw_size()); static char b[262144]; size_t n=0; ssize_t k; while((k=read(c,b,sizeof b))>0) n+=k; printf("got %zu\n",n); fflush(stdout); _exit(0);}  
  net->Run(); waitpid(src,0,0); waitpid(dst,0,0); return 0; }
