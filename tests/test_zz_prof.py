import cProfile
import gzip
import pstats
import time

from api.imports.formats import *
from api.imports.rows import *
from eventlog.envelope import *
from tests.worker.world import *


def test_prof(sqlite_url, valkey_url):
    g=Given("01a203ce-9ae5-76eb-99be-f203d1a2355c","a",None,"EUR")
    data=gzip.open("/work/shared/data/online-retail-changes.ndjson.gz").read()
    fmt=Ndjson(None)
    rows=[]
    for i in range(0,len(data),65536): rows += [read_row(r,fmt.parse,g,NOW) for r in fmt.feed(data[i:i+65536])]
    rows=rows[:40000]
    with World.of(sqlite_url, valkey_url, 1) as w:
        w.append(ImportMark("b",g.import_id,"begun","a",1))
        for i in range(0,len(rows),100):
            w.append(Rows(f"r{i}",g.import_id,tuple(rows[i:i+100])))
        d=w.drain()
        import worker.drain as D
        D.BATCH=5
        D._LEAST=5
        t=time.process_time(); t1=time.time()
        pr=cProfile.Profile() if PROF else None
        if pr: pr.enable()
        while not d.partition(0): pass
        if pr: pr.disable()
        dt=time.process_time()-t
        print("worker", dt/len(rows)*1e6,"us/row cpu", (time.time()-t1)/len(rows)*1e6, "wall")
        if pr:
            pstats.Stats(pr).sort_stats("tottime").print_stats(35)
            pstats.Stats(pr).sort_stats("cumtime").print_stats(45)
import os

PROF=os.environ.get("PROF")
